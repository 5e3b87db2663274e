"""What every request passes through: an id, the key, a limit on its body, a count, and the last net for defects.

A plain ASGI class: the framework's own middleware base would cost more than the whole prediction.
"""

import logging
import re
import time
from collections.abc import Callable, MutableMapping
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlp.api import key
from mlp.api.errors import error_response, internal_error
from mlp.clock import new_id
from mlp.config import Settings
from mlp.errors import BodyTooLarge
from mlp.observability.logging import log_context
from mlp.observability.metrics import counter, histogram

_log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_UPLOAD = re.compile(r"/v1/models/[^/]+/versions/?")
_BATCH_FILE = re.compile(r"/v1/models/[^/]+/(versions/[^/]+/)?batches/?")
#: Bodies of everything that is neither a prediction, nor feedback, nor an upload are small documents.
DOCUMENT_BYTES_MAX = 1 << 20

http_requests = counter("mlp_http_requests_total", "HTTP requests by route and status.", ("method", "route", "status"))
http_seconds = histogram("mlp_http_request_duration_seconds", "From request line to last byte.", ("method", "route"))


@cache
def _metrics_of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return http_requests.labels(method, route, str(status)), http_seconds.labels(method, route)


class RequestMiddleware:
    """Wraps the application of one server."""

    def __init__(self, app: ASGIApp, settings: Settings, is_stopping: Callable[[], bool] = lambda: False) -> None:
        self._app = app
        self._is_stopping = is_stopping
        self._settings = settings
        self._key = key.key_of(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _set_header(message, b"x-request-id", request_id.encode())
                if self._is_stopping():
                    # Whoever keeps the connection for the next request must find another server for it.
                    _set_header(message, b"connection", b"close")
            await send(message)

        with log_context(request_id=request_id):
            await self._serve(scope, receive, send_with_id, request_id)
        requests_of, seconds_of = _metrics_of(_method(scope), _route(scope), status)
        requests_of.inc()
        seconds_of.observe(time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        if self._key is not None and not key.may_pass(scope, self._key):
            await error_response(scope["path"], request_id, key.refusal())(scope, receive, send)
            return
        limit_bytes = self._limit_bytes(scope)
        declared = _declared_bytes(scope)
        if declared is not None and declared > limit_bytes:
            await error_response(scope["path"], request_id, _too_large(limit_bytes))(scope, receive, send)
            return
        has_started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, _limited(receive, limit_bytes), send_noting_start)
        except Exception:
            _log.exception("a request failed", extra={"path": scope["path"]})
            if has_started:
                raise
            await internal_error(scope["path"], request_id)(scope, receive, send)

    def _limit_bytes(self, scope: Scope) -> int:
        path: str = scope["path"]
        if path.endswith(("/predict", "/infer", "/jobs", "/jobs/bulk")) or path == "/v1/feedback":
            return self._settings.body_bytes_max
        if _BATCH_FILE.fullmatch(path):
            return self._settings.batch_file_bytes_max
        return self._settings.upload_bytes_max if _UPLOAD.fullmatch(path) else DOCUMENT_BYTES_MAX


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return new_id()


def _declared_bytes(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _limited(receive: Receive, limit_bytes: int) -> Receive:
    """Stops a body that grows past its limit, however it is sent: the length may not be declared, or be a lie."""
    seen_bytes = 0

    async def receive_counting() -> MutableMapping[str, Any]:
        nonlocal seen_bytes
        message = await receive()
        if message["type"] == "http.request":
            seen_bytes += len(message.get("body", b""))
            if seen_bytes > limit_bytes:
                raise _too_large(limit_bytes)
        return message

    return receive_counting


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {limit_bytes} bytes, the limit of this route")


def _set_header(message: Message, name: bytes, value: bytes) -> None:
    headers = [pair for pair in message["headers"] if pair[0] != name]
    headers.append((name, value))
    message["headers"] = headers


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The template of the route that answered: bounded, whatever paths are asked for."""
    route = scope.get("route")
    return str(getattr(route, "path", "none")) if route is not None else "none"
