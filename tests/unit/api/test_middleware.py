"""What every request passes through, on a real application with routes of its own."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from mlp.api.errors import add_error_answers
from mlp.api.middleware import RequestMiddleware
from mlp.config import Settings
from mlp.errors import TooManyRequests, UnknownModel


def application() -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestMiddleware, settings=Settings(body_bytes_max=1024, upload_bytes_max=4096))
    add_error_answers(app)

    @app.get("/v1/unknown")
    async def unknown() -> None:
        raise UnknownModel("unknown model 'chrun'", models=["churn"])

    @app.get("/v2/models/x")
    async def unknown_in_protocol() -> None:
        raise UnknownModel("Request for unknown model: 'x' is not found")

    @app.get("/v1/full")
    async def full() -> None:
        raise TooManyRequests("slow down", retry_after_seconds=7)

    @app.get("/v1/defect")
    async def defect() -> None:
        raise ZeroDivisionError("secret detail")

    @app.post("/v1/models/m/predict")
    async def read(request: Request) -> int:
        return len(await request.body())

    return app


def ask(method: str, path: str, **request: object) -> httpx.Response:
    async def story() -> httpx.Response:
        transport = httpx.ASGITransport(application())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **request)  # type: ignore[arg-type]

    return asyncio.run(story())


def test_request_id_given_is_kept_and_a_bad_one_is_replaced() -> None:
    assert ask("GET", "/v1/unknown", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert len(ask("GET", "/v1/unknown", headers={"x-request-id": "a b" * 99}).headers["x-request-id"]) == 36


def test_error_of_ours_is_a_problem_document_with_code_and_members() -> None:
    answer = ask("GET", "/v1/unknown", headers={"x-request-id": "r1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:mlp:error:unknown_model",
        "title": "Unknown model",
        "status": 404,
        "detail": "unknown model 'chrun'",
        "code": "unknown_model",
        "request_id": "r1",
        "models": ["churn"],
    }


def test_error_under_v2_is_the_protocols_with_exactly_its_type() -> None:
    answer = ask("GET", "/v2/models/x")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": "Request for unknown model: 'x' is not found"}


@pytest.mark.parametrize("path", ["/v1/nothing", "/v2/nothing"])
def test_unknown_path_answers_404_in_the_form_of_its_tree(path: str) -> None:
    answer = ask("GET", path)

    assert answer.status_code == 404
    assert ("error" in answer.json()) == path.startswith("/v2")


def test_wrong_method_answers_405_with_allow() -> None:
    answer = ask("DELETE", "/v1/unknown")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


def test_unavailable_says_when_to_come_back() -> None:
    answer = ask("GET", "/v1/full")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_defect_answers_500_without_its_detail() -> None:
    answer = ask("GET", "/v1/defect", headers={"x-request-id": "r9"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "r9" in answer.json()["detail"]


def test_declared_body_over_the_limit_is_refused_unread() -> None:
    answer = ask("POST", "/v1/models/m/predict", content=b"x" * 1025)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_undeclared_body_over_the_limit_is_stopped() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _number in range(10):
            yield b"x" * 200

    answer = ask("POST", "/v1/models/m/predict", content=endless())

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_body_at_the_limit_is_read() -> None:
    assert ask("POST", "/v1/models/m/predict", content=b"x" * 1024).json() == 1024


@pytest.mark.parametrize(
    ("path", "limit_bytes"),
    [
        ("/v1/models/m/predict", 1024),
        ("/v1/models/m/versions", 4096),
        ("/v1/models/m/batches", 8192),
        ("/v1/models/m/versions/champion/batches", 8192),
        ("/v1/batches/x", 1 << 20),
    ],
)
def test_limit_of_a_body_is_that_of_its_route(path: str, limit_bytes: int) -> None:
    settings = Settings(body_bytes_max=1024, upload_bytes_max=4096, batch_file_bytes_max=8192)

    found = RequestMiddleware(application(), settings)._limit_bytes({"path": path})

    assert found == limit_bytes
