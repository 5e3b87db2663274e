"""Makes one webhook call: to the address that was judged, signed, bounded in time whatever the receiver does.

Redirects are not followed: Standard Webhooks 1.0.0 ("Delivery success and failure") counts them as failures, and each
hop would carry a signed body to where nobody has sent it, through another chance to be led to a private address.
"""

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from mlp import __version__
from mlp.clock import monotonic
from mlp.jobs.webhook_addresses import AddressRefused, WebhookURL, permitted_addresses

_SECONDS = re.compile(r"[0-9]{1,9}")
_RETRY_AFTER_SECONDS_MAX = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        status: What the receiver answered; None where it did not.
        error: Why it is no success; None where it is one.
        is_final: Another call would come to the same: the address is refused, or the receiver wants no more.
        retry_after_seconds: How long the receiver wants to be left alone (RFC 9110 section 10.2.3), an hour at most.
    """

    status: int | None
    error: str | None
    is_final: bool = False
    retry_after_seconds: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.error is None


def call(
    url: WebhookURL, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float, is_private_allowed: bool
) -> Outcome:
    """The outcome of a POST; blocks for ``timeout_seconds`` at most, and while the resolver takes to answer.

    The system's certificates are trusted; the receiver's must name the host of the URL.
    """
    try:
        addresses = permitted_addresses(url, is_private_allowed=is_private_allowed)
        with _connected(url, addresses, timeout_seconds) as connection:
            connection.request("POST", url.target, body, {**headers, **_HEADERS, "Host": url.host_field})
            return _outcome_of(connection.getresponse())
    except AddressRefused as error:
        return Outcome(None, str(error), is_final=True)
    except TimeoutError:
        return Outcome(None, f"no answer within {timeout_seconds:g} s")
    except (OSError, http.client.error, ValueError) as error:
        return Outcome(None, f"{type(error).__name__}: {error}")


_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"mlp-stack/{__version__}",
    "Connection": "close",
    "Accept-Encoding": "identity",
}


def _outcome_of(answer: http.client.HTTPResponse) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Outcome(status, None)
    if status == HTTPStatus.GONE:
        return Outcome(status, "the receiver answered 410 (gone): it wants no more calls", is_final=True)
    if 300 <= status < 400:
        where = (answer.getheader("location") or "nowhere")[:200]
        return Outcome(status, f"the receiver answered {status}, to {where}: none is followed, give the final URL")
    after = answer.getheader("retry-after") or ""
    seconds = min(float(after), _RETRY_AFTER_SECONDS_MAX) if _SECONDS.fullmatch(after) else 0.0
    return Outcome(status, f"the receiver answered {status}", retry_after_seconds=seconds)


@contextmanager
def _connected(url: WebhookURL, addresses: list[str], timeout_seconds: float) -> Iterator[http.client.HTTPConnection]:
    deadline = monotonic() + timeout_seconds
    plain = _open(addresses, url.port, timeout_seconds)
    # A copy of the descriptor ends the connection in whatever state it is: each read has a time-out of its own, and
    # a receiver that sends a byte now and then would hold the thread for ever.
    guard = plain.dup()
    is_over = threading.Event()
    timer = threading.Timer(max(0.0, deadline - monotonic()), _cut, (guard, is_over))
    timer.daemon = True
    timer.start()
    connection = http.client.HTTPConnection(url.host, url.port)
    try:
        connection.sock = plain if url.scheme == "http" else _secured(plain, url.host)
        yield connection
    except (OSError, http.client.error) as error:
        if is_over.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        timer.join(timeout_seconds)
        connection.close()
        plain.close()
        guard.close()


def _open(addresses: list[str], port: int, timeout_seconds: float) -> socket.socket:
    """A connection to the first of the addresses that takes one; they share the time, the last one's error is told."""
    for index, address in enumerate(addresses, 1):
        try:
            opened = socket.create_connection((address, port), timeout_seconds / len(addresses))
        except OSError:
            if index == len(addresses):
                raise
        else:
            opened.settimeout(timeout_seconds)
            return opened
    raise AssertionError("there is at least one address")


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _cut(guard: socket.socket, is_over: threading.Event) -> None:
    is_over.set()
    try:
        guard.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the receiver was quicker
