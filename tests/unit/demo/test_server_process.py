"""The server as a child: found a port, started, stopped whatever happens."""

import signal
import socket
from pathlib import Path

import pytest

from mlp.demo.server_process import USUAL_PORT, ServerProcess, choose_port, running_server
from mlp.errors import Conflict, ServerUnreachable
from mlp.storage.ownership import find_server


def listener_on(port: int) -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", port))
    taken.listen()
    return taken


def test_port_asked_for_is_taken_when_free() -> None:
    with listener_on(0) as taken:
        port = taken.getsockname()[1]

    assert choose_port(port) == port


def test_port_asked_for_that_is_in_use_is_refused() -> None:
    with listener_on(0) as taken, pytest.raises(Conflict, match="--port"):
        choose_port(taken.getsockname()[1])


def test_port_is_another_when_the_usual_one_is_in_use() -> None:
    try:
        taken = listener_on(USUAL_PORT)
    except OSError:
        taken = socket.socket()  # somebody else has it, which serves as well

    with taken:
        port = choose_port(None)

    assert port != USUAL_PORT
    assert choose_port(port) == port


@pytest.mark.slow
def test_server_is_ready_and_gone_when_the_block_is_left(tmp_path: Path) -> None:
    with running_server(tmp_path, choose_port(None)) as server:
        server.wait_until_ready()
        running = find_server(tmp_path)

    assert running is not None
    assert not server.is_running
    assert find_server(tmp_path) is None


@pytest.mark.slow
def test_server_is_stopped_when_the_block_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), running_server(tmp_path, choose_port(None)) as server:
        raise KeyboardInterrupt

    assert not server.is_running


@pytest.mark.slow
def test_server_is_stopped_when_the_demo_is_told_to_end(tmp_path: Path) -> None:
    with pytest.raises(SystemExit), running_server(tmp_path, choose_port(None)) as server:
        signal.raise_signal(signal.SIGTERM)

    assert not server.is_running
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
def test_server_that_ends_by_itself_is_explained_by_its_log(tmp_path: Path) -> None:
    with listener_on(0) as taken, running_server(tmp_path, taken.getsockname()[1]) as server:  # noqa: SIM117
        with pytest.raises(ServerUnreachable, match="ended before it was ready"):
            server.wait_until_ready()


def test_server_that_was_not_started_may_be_stopped(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, USUAL_PORT)

    server.stop()

    assert not server.is_running
