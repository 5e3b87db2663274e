"""Turns errors into answers: RFC 9457 problem documents, and ``{"error": …}`` under /v2. The only place that does."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mlp.errors import BadInput, MLPError, Unauthorised, Unavailable

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()


def add_error_answers(app: FastAPI) -> None:
    """Make every error of this application answer in the form of its path."""
    app.add_exception_handler(MLPError, answer_ours)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_framework)


def error_response(path: str, request_id: str, error: MLPError) -> Response:
    """The answer for an error: its status, its document, Retry-After where waiting may help, how to send a key."""
    headers = {"x-request-id": request_id}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthorised):
        headers["www-authenticate"] = "Bearer"
    if is_protocol(path):
        # Exactly this type: KServe's client reads the message only then.
        return Response(_encoder.encode({"error": error.message}), error.status, headers, media_type="application/json")
    document: dict[str, Any] = {
        "type": f"urn:mlp:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "request_id": request_id,
        **error.extra,
    }
    return Response(_encoder.encode(document), error.status, headers, media_type="application/problem+json")


def internal_error(path: str, request_id: str) -> Response:
    """The answer for a defect of ours: no detail leaks, the request id finds the log line."""
    error = MLPError(f"an error of the server; its log has the details under request {request_id}")
    return error_response(path, request_id, error)


def is_protocol(path: str) -> bool:
    """Whether a path belongs to the Open Inference Protocol."""
    return path == "/v2" or path.startswith("/v2/")


def _request_id(request: Request) -> str:
    return str(request.scope.get("request_id", ""))


async def answer_ours(request: Request, error: Exception) -> Response:
    """The answer for an error of the tree; those that are ours to mend are logged."""
    assert isinstance(error, MLPError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s: %s", error.code, error.message, extra={"path": request.url.path})
    return error_response(request.url.path, _request_id(request), error)


async def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    problem = BadInput(f"{place}: {first['msg']}", errors=[_plain(item) for item in error.errors()])
    return error_response(request.url.path, _request_id(request), problem)


def _plain(item: dict[str, Any]) -> dict[str, str]:
    return {"place": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])}


async def _answer_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    problem = MLPError(_framework_message(request, status))
    # On the instance: such answers have no class of their own in the tree.
    vars(problem).update(code=status.name.lower(), status=status.value, title=status.phrase)
    response = error_response(request.url.path, _request_id(request), problem)
    response.headers.update(error.headers or {})
    return response


def _framework_message(request: Request, status: HTTPStatus) -> str:
    if status is HTTPStatus.NOT_FOUND:
        return f"nothing is served at {request.url.path}: see /docs for what is"
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not offered at {request.url.path}"
    return status.phrase
