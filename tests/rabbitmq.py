"""Pytest plug-in: a RabbitMQ of our own on a free port; it keeps its queues while it is stopped.

One server for the whole run, since it takes seconds to start: a test gives its queues names of its own, or deletes
them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import server_guard
from tests.guarded_server import GuardedServer


class RabbitMQServer(GuardedServer):
    """A running broker with its user guest/guest.

    Args:
        definitions: A file of users and queues to load at its start instead of making that user.

    Attributes:
        url: ``amqp://…`` of its virtual host ``/``.
    """

    def __init__(self, definitions: Path | None = None) -> None:
        marked = "mark the test with `rabbitmq`: then it is left out where RabbitMQ is missing"
        assert server_guard.find_rabbitmq() is not None, marked
        super().__init__(server_guard.__file__, "rabbitmq", *([] if definitions is None else [definitions]))
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def purge(self, queue: str) -> None:
        """Throw away the queue's messages."""
        from kombu import Connection

        with Connection(self.url, connect_timeout=10) as connection:
            connection.default_channel.queue_purge(queue)


@pytest.fixture(scope="session")
def rabbitmq_session() -> Iterator[RabbitMQServer]:
    """The server of this test run; may have been stopped by a test."""
    server = RabbitMQServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def rabbitmq_server(rabbitmq_session: RabbitMQServer) -> Iterator[RabbitMQServer]:
    """The server, running; however the test leaves it, the next one finds it running."""
    yield rabbitmq_session
    rabbitmq_session.ensure_started()
