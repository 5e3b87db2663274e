"""One call against real receivers: what counts as delivered, and that no receiver holds a thread for long."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mlp.jobs.webhook_addresses import read_url
from mlp.jobs.webhook_call import Outcome, call
from tests.webhook_receiver import HANG, receiving

#: A call is over after this; a test that needs many times as long hangs.
SECONDS = 0.5
SECONDS_MAX = 15.0


def call_to(url: str, *, is_private_allowed: bool = True, timeout_seconds: float = 10.0) -> Outcome:
    return call(
        read_url(url),
        b'{"a":1}',
        {"webhook-id": "j1"},
        timeout_seconds=timeout_seconds,
        is_private_allowed=is_private_allowed,
    )


@contextmanager
def sending(script: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that does to each connection what the script does; its URL."""
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)

        def serve() -> None:
            try:
                connection, _address = listener.accept()
                with connection:
                    script(connection, is_over)
            except OSError:
                return  # the caller has gone, as it should

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            is_over.set()
    thread.join(10)


def test_call_carries_body_headers_and_host() -> None:
    with receiving([200]) as receiver:
        outcome = call_to(receiver.url)

    (received,) = receiver.received
    assert outcome == Outcome(200, None)
    assert (received.path, received.body) == ("/done?of=jobs", b'{"a":1}')
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == "j1"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_any_other_status_is_a_failure_that_may_pass(status: int) -> None:
    with receiving([status]) as receiver:
        outcome = call_to(receiver.url)

    assert (outcome.status, outcome.is_delivered, outcome.is_final) == (status, False, False)


def test_gone_is_final() -> None:
    with receiving([410]) as receiver:
        outcome = call_to(receiver.url)

    assert (outcome.is_delivered, outcome.is_final) == (False, True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_a_failure_and_not_followed(status: int) -> None:
    with receiving() as private, receiving([status], location=private.url) as receiver:
        outcome = call_to(receiver.url)

    assert private.received == []
    assert not outcome.is_delivered
    assert private.url in str(outcome.error)


def test_private_address_is_not_even_connected_to() -> None:
    with receiving() as receiver:
        outcome = call_to(f"http://localhost:{receiver.port}/", is_private_allowed=False)

    assert receiver.received == []
    assert (outcome.is_final, outcome.is_delivered) == (True, False)
    assert "no public address" in str(outcome.error)


def test_receiver_that_is_away_may_come_back() -> None:
    with receiving() as receiver:
        pass

    outcome = call_to(receiver.url)

    assert (outcome.status, outcome.is_final) == (None, False)
    assert "refused" in str(outcome.error)


def test_host_without_an_address_may_come_to_have_one() -> None:
    outcome = call_to("http://no-such-host.invalid/")

    assert (outcome.status, outcome.is_final, outcome.is_delivered) == (None, False, False)


def test_receiver_that_hangs_is_left() -> None:
    began = time.monotonic()
    with receiving([HANG]) as receiver:
        outcome = call_to(receiver.url, timeout_seconds=SECONDS)

    assert outcome.error == "no answer within 0.5 s"
    assert time.monotonic() - began < SECONDS_MAX


def drip(connection: socket.socket, is_over: threading.Event) -> None:
    while not is_over.wait(0.05):
        connection.sendall(b"H")


def drip_headers(connection: socket.socket, is_over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not is_over.wait(0.05):
        connection.sendall(b"a")


def test_receiver_that_sends_a_byte_now_and_then_is_left() -> None:
    with sending(drip) as url:
        outcome = call_to(url, timeout_seconds=SECONDS)

    assert outcome.error == "no answer within 0.5 s"


def test_receiver_whose_headers_never_end_has_answered_with_its_status() -> None:
    with sending(drip_headers) as url:
        outcome = call_to(url, timeout_seconds=SECONDS)

    assert outcome.status == 200


def test_tls_that_is_never_spoken_is_left() -> None:
    with sending(drip) as url:
        outcome = call_to(url.replace("http://", "https://"), timeout_seconds=SECONDS)

    assert not outcome.is_delivered


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_answer_that_is_no_http_is_a_failure(answer: bytes) -> None:
    def script(connection: socket.socket, _is_over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with sending(script) as url:
        outcome = call_to(url)

    assert (outcome.is_delivered, outcome.is_final) == (False, False)


@pytest.mark.parametrize(("after", "seconds"), [("120", 120.0), ("86400", 3600.0), ("soon", 0.0)])
def test_retry_after_is_heard(after: str, seconds: float) -> None:
    def script(connection: socket.socket, _is_over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 503 Busy\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n".encode())

    with sending(script) as url:
        assert call_to(url).retry_after_seconds == seconds
