"""Terminals in which the pages are followed; one for each module that asks."""

from collections.abc import Iterator

import pytest

from tests.docs.terminal import PORT, Terminal, free_port


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal whose server will listen on a free port."""
    yield from _terminal(tmp_path_factory, 0)


@pytest.fixture(scope="module")
def readme_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal whose server will listen on the port of the README, or on another where that is taken."""
    yield from _terminal(tmp_path_factory, PORT)


def _terminal(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Terminal]:
    opened = Terminal(tmp_path_factory.mktemp("reader") / "here", free_port(port))
    yield opened
    opened.close()
