"""The stack of this test run, started once by its first test and used by all; the modules run in the order of names."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlp import Client
from tests.stack.compose import Compose
from tests.stack.traffic import URL

#: Where what was measured is written for the documentation; empty: nowhere.
RESULTS = os.environ.get("MLP_STACK_RESULTS", "")

#: For work on these tests: whatever runs is taken as it is, and left running.
IS_KEPT = bool(os.environ.get("MLP_STACK_KEEP"))


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """`docker compose` on a copy of the project, with nothing running and no volume at the start and at the end."""
    if IS_KEPT:
        yield Compose(Path(tempfile.gettempdir()) / "mlp-stack-test" / "mlp")
        return
    compose = Compose(tmp_path_factory.mktemp("stack") / "mlp")
    # The default names and ports are what users get, and what is tested: another stack of them must not be here.
    running = compose("ps", "--quiet").strip()
    assert not running, "a stack of the project `mlp` runs on this machine: stop it first (docker compose down)"
    compose.down("--volumes")
    try:
        yield compose
    finally:
        compose("--profile", "exporters", "--profile", "alerting", "down", "--remove-orphans", "--volumes")


@pytest.fixture
def client() -> Client:
    """A client of the stack's API through Traefik."""
    return Client(URL, timeout_seconds=60)


@pytest.fixture
def results_folder() -> Path | None:
    """The folder for what was measured, if a caller wants it kept."""
    return Path(RESULTS) if RESULTS else None
