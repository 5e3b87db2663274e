"""Pytest plug-in: a Redis of our own on a free port, empty for each test that asks."""

from collections.abc import Iterator

import pytest

from tests import server_guard
from tests.guarded_server import GuardedServer


class RedisServer(GuardedServer):
    """A running server without a password, and without files.

    Attributes:
        url: ``redis://…`` of its database 0.
    """

    def __init__(self) -> None:
        marked = "mark the test with `redis`: then it is left out where Redis is missing"
        assert server_guard.find_redis() is not None, marked
        super().__init__(server_guard.__file__, "redis")
        self.url = f"redis://127.0.0.1:{self.port}/0"


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server for this test alone: it starts within some milliseconds."""
    server = RedisServer()
    try:
        yield server
    finally:
        server.close()
