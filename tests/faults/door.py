"""One thread's way to the api processes: an answer, or none, and never an exception."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3

#: As a careful client: longer than the server's own time-outs.
REQUEST_SECONDS = 20.0
CONNECT_SECONDS = 3.0


class Door:
    """Connections to api processes by their names; for one thread."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.names = list(urls)
        self._urls = urls
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=REQUEST_SECONDS)
        self._pool = urllib3.PoolManager(num_pools=len(urls), maxsize=1, timeout=timeout, retries=False)

    def ask(
        self, server: str, method: str, path: str, document: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and document of an answer; status 0 where none came, or no whole one."""
        try:
            answer = self._pool.request(method, self._urls[server] + path, json=document, headers=headers)
            found = answer.json()
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return 0, {}
        return answer.status, found if isinstance(found, dict) else {}

    def events(self, server: str, path: str, last_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and document of each server-sent event, until the stream ends or breaks off."""
        headers = {"last-event-id": last_id} if last_id else {}
        try:
            answer = self._pool.request("GET", self._urls[server] + path, headers=headers, preload_content=False)
            try:
                yield from _events(answer) if answer.status == 200 else ()
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()


def _events(answer: urllib3.BaseHTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """WHATWG HTML section 9.2.6, as far as it is used: fields ``id`` and ``data``, a blank line after each event."""
    rest, event_id, lines = b"", "", list[bytes]()
    for chunk in answer.stream(decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            name, _, value = line.partition(b": ")
            if name == b"id":
                event_id = value.decode()
            elif name == b"data":
                lines.append(value)
            elif not line and lines:
                yield event_id, json.loads(b"\n".join(lines))
                lines = []
