"""How a request reaches a server and its answer comes back: the contract Transport, and HTTP over urllib3.

Knows bytes, headers and time-outs; what a path or a body means is the business of ``exchange``.
"""

import platform
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol, runtime_checkable
from urllib.parse import urlencode, urlsplit

import urllib3

from mlp import __version__
from mlp.errors import BadInput, DeadlineExceeded, ServerUnreachable, Unavailable

#: What a request carries: bytes, or an open file that is streamed from where it stands to its end.
Body = bytes | BinaryIO

# Only reaching the server is bounded by this; one that is there accepts within milliseconds.
_CONNECT_SECONDS_MAX = 5.0
_CONNECTIONS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, complete.

    Attributes:
        status: HTTP status code, 100 to 599.
        headers: Header fields by lower-case name.
        body: The whole body, decoded from any content coding.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """One answer as it comes.

    Attributes:
        chunks: The body, piece by piece, as the server sends it; of any other answer than a success, too.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Transport(Protocol):
    """Carries one request to a server and returns its answer. Safe for use by several threads at once."""

    @property
    def address(self) -> str:
        """Where the requests go, as messages name it: ``http://localhost:4789``."""

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Body | None,
        headers: Mapping[str, str],
        timeout_seconds: float,
    ) -> Response:
        """The server's answer, whatever its status; blocks until it is complete.

        Args:
            method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
            path: Begins with ``/``; segments are percent-encoded already.
            query: Parameters, not encoded.
            body: Sent as it is; a file is read from where it stands.
            headers: Sent as they are; Content-Type and Content-Length among them where there is a body.
            timeout_seconds: Longest silence of the server, above 0: bounds an answer that does not come, not an
                upload that keeps moving.

        Raises:
            mlp.errors.ServerUnreachable: Nobody listens at the address; the request was not carried out.
            mlp.errors.DeadlineExceeded: Silence for longer than ``timeout_seconds``.
            mlp.errors.Unavailable: The connection broke; whether the request was carried out is not known.
        """

    def close(self) -> None:
        """Give back all connections; may be called twice."""


@runtime_checkable
class StreamingTransport(Transport, Protocol):
    """A transport that can also hand out an answer while it comes; the client does without where it cannot."""

    def open(
        self, path: str, *, headers: Mapping[str, str], timeout_seconds: float
    ) -> "AbstractContextManager[StreamedResponse]":
        """The answer to a GET whose body is read piece by piece; leaving the context ends it.

        Args:
            timeout_seconds: Longest silence of the server, in its body as well.

        Raises:
            As send(); reading the body raises the same.
        """


class HTTPTransport:
    """Transport over a pool of kept connections.

    A GET whose kept connection turns out to be closed is sent once more on a new one. Nothing else is ever
    repeated: a POST that broke may have been carried out.

    Args:
        url: ``http://`` or ``https://``, host, and where needed port and path prefix.

    Raises:
        mlp.errors.BadInput: The address is not of that form.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise BadInput(f'"{url}" is not the address of a server, such as http://localhost:4789')
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=_CONNECTIONS_KEPT,
            headers={"User-Agent": f"mlp-stack/{__version__} python/{platform.python_version()}"},
        )

    @property
    def address(self) -> str:
        """Where the requests go."""
        return self._url

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Body | None,
        headers: Mapping[str, str],
        timeout_seconds: float,
    ) -> Response:
        target = self._url + path + (f"?{urlencode(query)}" if query else "")
        with self._clear_errors(f"{method} {path}", timeout_seconds):
            try:
                return self._once(method, target, body, headers, timeout_seconds)
            except urllib3.exceptions.ProtocolError:
                if method != "GET":
                    raise
                return self._once(method, target, body, headers, timeout_seconds)

    @contextmanager
    def open(self, path: str, *, headers: Mapping[str, str], timeout_seconds: float) -> Iterator[StreamedResponse]:
        with self._clear_errors(f"GET {path}", timeout_seconds):
            answer = self._request("GET", self._url + path, None, headers, timeout_seconds, is_streamed=True)
        names = {name.lower(): value for name, value in answer.headers.items()}
        try:
            yield StreamedResponse(answer.status, names, self._chunks(answer, f"GET {path}", timeout_seconds))
        finally:
            # Not given back to the pool: the server may still be sending.
            answer.close()

    def _chunks(self, answer: urllib3.BaseHTTPResponse, call: str, timeout_seconds: float) -> Iterator[bytes]:
        with self._clear_errors(call, timeout_seconds):
            yield from answer.stream()

    @contextmanager
    def _clear_errors(self, call: str, timeout_seconds: float) -> Iterator[None]:
        try:
            yield
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise ServerUnreachable(
                f'no server answers at {self._url}: start one with "mlp serve"', url=self._url
            ) from error
        except urllib3.exceptions.TimeoutError as error:
            raise DeadlineExceeded(
                f"{self._url} did not answer {call} within {timeout_seconds:g} s; "
                "ask again later, or allow more with timeout_seconds"
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(
                f"the connection to {self._url} broke during {call} ({error}); "
                "whether the request was carried out is not known"
            ) from error

    def _once(
        self, method: str, target: str, body: Body | None, headers: Mapping[str, str], timeout_seconds: float
    ) -> Response:
        answer = self._request(method, target, body, headers, timeout_seconds)
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def _request(
        self,
        method: str,
        target: str,
        body: Body | None,
        headers: Mapping[str, str],
        timeout_seconds: float,
        *,
        is_streamed: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            method,
            target,
            body=body,
            headers={**self._pool.headers, **headers},
            timeout=urllib3.Timeout(connect=min(timeout_seconds, _CONNECT_SECONDS_MAX), read=timeout_seconds),
            retries=False,
            redirect=False,
            preload_content=not is_streamed,
        )

    def close(self) -> None:
        self._pool.clear()
