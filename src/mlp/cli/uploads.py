"""Shows an upload while it goes: a transport that counts what is read of the files it sends."""

import io
from collections.abc import Mapping
from typing import BinaryIO, cast

from mlp.cli.output import ReportProgress
from mlp.client.transport import Body, Response, Transport


class WatchedTransport:
    """A transport that reports the bytes of every file that it sends.

    Args:
        transport: Carries the requests.
        report_progress: Told bytes sent, bytes in all, and what is being done.
        sending: What is being done while a file is sent; ``waiting`` once it is.
    """

    def __init__(self, transport: Transport, report_progress: ReportProgress, *, sending: str, waiting: str) -> None:
        self._transport = transport
        self._report_progress = report_progress
        self._sending = sending
        self._waiting = waiting

    @property
    def address(self) -> str:
        """Where the requests go."""
        return self._transport.address

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
        if body is not None and not isinstance(body, bytes):
            watched = _WatchedFile(body, int(headers["Content-Length"]), self)
            body = cast(BinaryIO, watched)
        return self._transport.send(
            method, path, query=query, body=body, headers=headers, timeout_seconds=timeout_seconds
        )

    def report(self, sent_bytes: int, total_bytes: int) -> None:
        """Tells how much has been read; when all is, the wait for the server has no known length."""
        if sent_bytes < total_bytes:
            self._report_progress(sent_bytes, total_bytes, self._sending)
        else:
            self._report_progress(0, None, self._waiting)

    def close(self) -> None:
        self._transport.close()


class _WatchedFile(io.RawIOBase):
    """A file that reports how much of it has been read."""

    def __init__(self, file: BinaryIO, total_bytes: int, watcher: WatchedTransport) -> None:
        self._file = file
        self._total_bytes = total_bytes
        self._watcher = watcher
        self._sent_bytes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._sent_bytes += len(chunk)
        self._watcher.report(self._sent_bytes, self._total_bytes)
        return chunk
