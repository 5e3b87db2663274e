"""One connection over which requests are sent and answered one after the other, with as little in between as can be.

http.client and urllib3 take about as long for one request as the server that is measured.
"""

import json
import socket
from types import TracebackType
from typing import Any, Self

_TIMEOUT_SECONDS = 60.0


class Exchange:
    """A kept connection to an HTTP/1.1 server on the loopback address, whose answers have a Content-Length."""

    def __init__(self, port: int) -> None:
        self._host = f"127.0.0.1:{port}"
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a JSON document."""
        return self._send(post_request(self._host, path, body))

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of the answer to a GET."""
        return self._send(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())

    def get_json(self, path: str) -> Any:
        """The document at a path.

        Raises:
            RuntimeError: The answer is not 200.
        """
        status, body = self.get(path)
        if status != 200:
            raise RuntimeError(f"GET {path} was answered by {status}: {body[:500]!r}")
        return json.loads(body)

    def _send(self, request: bytes) -> tuple[int, bytes]:
        self._socket.sendall(request)
        received = b""
        while True:
            chunk = self._socket.recv(1 << 20)
            if not chunk:
                raise RuntimeError("the server closed the connection")
            received += chunk
            answer = split_answer(received)
            if answer is not None:
                return answer


def post_request(host: str, path: str, body: bytes) -> bytes:
    """The bytes of a POST of a JSON document."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def split_answer(received: bytes) -> tuple[int, bytes] | None:
    """Status and body of an answer that has come whole; None while some of it is missing."""
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    _, _, after = head.lower().partition(b"\r\ncontent-length:")
    length_bytes = int(after.partition(b"\r\n")[0])
    return None if len(body) < length_bytes else (int(head[9:12]), body)
