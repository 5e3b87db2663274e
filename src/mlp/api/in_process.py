"""The same HTTP without a network: the command line's client on an application that this process opens itself."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode

from starlette.types import ASGIApp

from mlp.client.transport import Body, Response
from mlp.config import Settings
from mlp.errors import DeadlineExceeded
from mlp.stack import Stack
from mlp.storage.ownership import FolderOwner

_START_SECONDS = 120.0
_CHUNK_BYTES = 1 << 20
Result = TypeVar("Result")


class InProcessTransport:
    """Transport of the client onto an application on an event loop in a thread of its own.

    While it is open this process owns the data folder, as a server would.
    """

    def __init__(self, owner: FolderOwner, stack: Stack, app: ASGIApp) -> None:
        self._owner = owner
        self._stack = stack
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="in-process", daemon=True)
        self._thread.start()
        self._run(stack.start(is_warming=False), _START_SECONDS)
        self._is_open = True

    @classmethod
    def open(cls, settings: Settings) -> "InProcessTransport":
        """Open the data folder of the settings.

        Raises:
            FolderInUse: A server or another command owns the folder.
        """
        from mlp.api.app import create_app

        settings.folder.mkdir(parents=True, exist_ok=True)
        owner = FolderOwner(settings.folder)
        owner.__enter__()
        try:
            stack = Stack(settings)
            return cls(owner, stack, create_app(stack))
        except BaseException:
            owner.__exit__(None, None, None)
            raise

    @property
    def address(self) -> str:
        """The folder, since there is no address."""
        return str(self._stack.settings.folder)

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
        """The application's answer."""
        exchange = _Exchange(self._app, method, path, urlencode(query), body, headers)
        return self._run(exchange.run(), timeout_seconds)

    def _run(self, work: Coroutine[Any, Any, Result], timeout_seconds: float) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_seconds)
        except TimeoutError:
            future.cancel()
            raise DeadlineExceeded(f"no answer within {timeout_seconds:g} s") from None

    def close(self) -> None:
        """Close the stack and give the folder back; may be called twice."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._run(self._stack.close(), 4 * self._stack.settings.shutdown_seconds)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(self._stack.settings.shutdown_seconds)
            if not self._thread.is_alive():
                self._loop.close()
            self._owner.__exit__(None, None, None)


class _Exchange:
    """One request and its answer in the terms of ASGI (specification 3.0, "HTTP & WebSocket ASGI Message Format")."""

    def __init__(
        self, app: ASGIApp, method: str, path: str, query: str, body: Body | None, headers: Mapping[str, str]
    ) -> None:
        self._app = app
        self._body = body
        self._is_sent = False
        self._status = 500
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": None,
            "server": None,
        }

    async def run(self) -> Response:
        await self._app(self._scope, self._receive, self._send)
        return Response(self._status, self._headers, b"".join(self._parts))

    async def _receive(self) -> dict[str, Any]:
        if self._is_sent:
            # The "client" stays until it has its answer.
            await asyncio.Event().wait()
        if self._body is None or isinstance(self._body, bytes):
            self._is_sent = True
            return {"type": "http.request", "body": self._body or b"", "more_body": False}
        chunk = await asyncio.to_thread(self._body.read, _CHUNK_BYTES)
        self._is_sent = not chunk
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))
