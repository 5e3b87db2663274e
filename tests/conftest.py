"""What every test may ask for: each plug-in below says what it gives."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

from mlp.observability.logging import JSONFormatter, TextFormatter

pytest_plugins = ["tests.left_out", "tests.postgres", "tests.servers"]

# A deadline would be a timed assertion, and these machines are shared.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that a test runs in this process sets up log lines; the next test must not inherit them."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, JSONFormatter | TextFormatter):
            root.removeHandler(handler)
