"""The health check of the containers, run as they run it, against servers of a few lines."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.architecture.source_tree import ROOT

PROBE = ROOT / "deploy" / "probe.py"
GIVEN_UP_SECONDS_MAX = 20.0


def probe(port: int, path: str = "/health/live") -> int:
    command = [sys.executable, str(PROBE), str(port), path]
    return subprocess.run(command, timeout=GIVEN_UP_SECONDS_MAX, check=False).returncode


@contextmanager
def answering(answer: bytes | None) -> Iterator[tuple[int, list[bytes]]]:
    """A server for one connection: its port, and what it was asked; it says nothing for None."""
    asked: list[bytes] = []
    is_over = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(4096))
                if answer is None:
                    is_over.wait(GIVEN_UP_SECONDS_MAX)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            is_over.set()
            thread.join(GIVEN_UP_SECONDS_MAX)


@pytest.mark.parametrize(
    ("status_line", "exit_code"),
    [
        ("HTTP/1.1 200 OK", 0),
        ("HTTP/1.0 200 OK", 0),
        ("HTTP/1.1 503 Service Unavailable", 1),
        ("HTTP/1.1 404 Not Found", 1),
        ("HTTP/1.1 301 Moved 200", 1),
        ("", 1),
    ],
)
def test_status_decides_the_exit_code(status_line: str, exit_code: int) -> None:
    body = b"x" * 10_000
    answer = f"{status_line}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

    with answering(answer) as (port, asked):
        assert probe(port, "/health/open") == exit_code

    assert asked[0].startswith(b"GET /health/open HTTP/1.0\r\n")


def test_nobody_on_the_port_is_a_failure() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

    assert probe(port) == 1


def test_server_that_says_nothing_is_a_failure_within_seconds() -> None:
    began = time.monotonic()

    with answering(None) as (port, _asked):
        assert probe(port) == 1

    assert time.monotonic() - began < GIVEN_UP_SECONDS_MAX
