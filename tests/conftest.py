"""What every test may ask for: each plug-in below says what it gives."""

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from mlp.observability.logging import JSONFormatter, TextFormatter

pytest_plugins = ["tests.left_out", "tests.postgres", "tests.rabbitmq", "tests.redis", "tests.servers", "tests.workers"]

#: The stack needs a Docker engine, the default ports and a quarter of an hour: `make stack-test` runs it.
collect_ignore = [] if os.environ.get("MLP_STACK_TEST") else ["stack"]

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
