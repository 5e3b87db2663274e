"""The fault harness's proxies, with real sockets: what flows, what stands still, what breaks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.faults.proxy import DROP, MUTE, PASS, REFUSE, LinkPlan, Links
from tests.server_guard import free_port

pytestmark = pytest.mark.slow

SOON_SECONDS = 10.0
#: Long enough for what flows to arrive; what stands still is found still.
STILL_SECONDS = 0.3
NAME = "client:echo"


class Echo:
    """A server that sends back what it gets, and keeps what it got."""

    def __init__(self) -> None:
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while chunk := connection.recv(1000):
                self.heard += chunk
                connection.sendall(chunk)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def plan(echo: Echo) -> LinkPlan:
    return LinkPlan(NAME, free_port(), echo.port)


@pytest.fixture
def links(plan: LinkPlan) -> Iterator[Links]:
    with closing(Links([plan])) as links:
        yield links


def connect(plan: LinkPlan) -> socket.socket:
    return socket.create_connection(("127.0.0.1", plan.listen_port), SOON_SECONDS)


def said(connection: socket.socket, words: bytes, timeout_seconds: float = SOON_SECONDS) -> bytes:
    connection.settimeout(timeout_seconds)
    connection.sendall(words)
    return connection.recv(1000)


def test_link_passes_both_ways(plan: LinkPlan, links: Links) -> None:
    with connect(plan) as connection:
        assert said(connection, b"one") == b"one"
        links.set([NAME], PASS, 0.05)
        assert said(connection, b"two") == b"two"


def test_end_of_one_side_reaches_the_other(plan: LinkPlan, links: Links) -> None:
    with connect(plan) as connection:
        said(connection, b"one")
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(10) == b""


def test_partition_holds_everything_back_until_it_ends(plan: LinkPlan, links: Links, echo: Echo) -> None:
    with connect(plan) as connection:
        said(connection, b"before")
        links.set([NAME], DROP)

        with pytest.raises(TimeoutError):
            said(connection, b"during", STILL_SECONDS)
        with connect(plan) as second, pytest.raises(TimeoutError):
            said(second, b"second", STILL_SECONDS)
        assert echo.heard == b"before"

        links.set([NAME], PASS)
        connection.settimeout(SOON_SECONDS)
        assert connection.recv(1000) == b"during"


def test_muted_link_delivers_and_brings_no_answer(plan: LinkPlan, links: Links, echo: Echo) -> None:
    with connect(plan) as connection:
        said(connection, b"before,")
        links.set([NAME], MUTE)

        with pytest.raises(TimeoutError):
            said(connection, b"during", STILL_SECONDS)

        assert echo.heard == b"before,during"


def test_reset_cuts_connections_and_takes_new_ones(plan: LinkPlan, links: Links) -> None:
    with connect(plan) as connection:
        said(connection, b"one")

        assert links.reset([NAME]) == 1

        with pytest.raises(ConnectionResetError):
            connection.recv(10)
    with connect(plan) as connection:
        assert said(connection, b"two") == b"two"


def test_refusing_link_listens_no_more_and_comes_back(plan: LinkPlan, links: Links) -> None:
    with connect(plan) as connection:
        said(connection, b"one")
        links.set([NAME], REFUSE)

        with pytest.raises(ConnectionResetError):
            connection.recv(10)
        with pytest.raises(ConnectionRefusedError):
            connect(plan)

    links.set([NAME], PASS)
    with connect(plan) as connection:
        assert said(connection, b"two") == b"two"


def test_link_to_nobody_is_reset(links: Links, plan: LinkPlan, echo: Echo) -> None:
    lonely = LinkPlan("client:nobody", free_port(), free_port())

    with closing(Links([lonely])), connect(lonely) as connection, pytest.raises(ConnectionError):
        said(connection, b"one")
