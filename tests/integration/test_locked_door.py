"""A real server with a key: no path of its own document, and none beside it, opens without the key."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.servers import Serve, ServerProcess

pytestmark = pytest.mark.slow

KEY = "s3cret+/="
METHODS = ("get", "put", "post", "delete", "patch")
#: What stands in for the parameters in paths.
DUMMY = "0" * 8
#: Answered besides those that the document names: its own pages, and paths that there are not.
BESIDE = [
    ("get", "/"),
    ("get", "/docs"),
    ("get", "/openapi.json"),
    ("get", "/v1/nothing"),
    ("get", "/nothing"),
    ("get", "/health"),
    ("get", "/healthx/live"),
    ("get", "/metrics/"),
    ("get", "//health/live"),
    ("head", "/v1/models"),
    ("options", "/v1/models"),
    # The routes that are answered before the framework sees them.
    ("post", "/v1/models/m/predict"),
    ("post", "/v1/models/m/jobs"),
    ("post", "/v1/feedback"),
    ("post", "/v2/models/m/infer"),
    ("post", "/v2/models/m/versions/1/infer"),
    ("get", "/v2"),
    ("get", "/v2/health/live"),
    ("get", "/v2/health/ready"),
    ("get", "/v2/models/m"),
]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("locked") / "data", MLP_API_KEY=KEY)
    try:
        yield server.wait_ready()
    finally:
        server.kill()


@pytest.fixture(scope="module")
def operations(locked: ServerProcess) -> list[tuple[str, str]]:
    """Every method and path of the document, parameters filled in."""
    document: dict[str, Any] = locked.send("GET", "/openapi.json", authorization=f"Bearer {KEY}").json()
    return [
        (method, re.sub(r"\{[^}]+\}", DUMMY, path))
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def ask(server: ServerProcess, method: str, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
    body = None if method in ("get", "head", "options", "delete") else b"{}"
    return server.send(method.upper(), path, body, raises=True, content_type="application/json", **headers)


def is_open(path: str) -> bool:
    return path.startswith("/health/") or path == "/metrics"


def test_document_names_what_there_is(operations: list[tuple[str, str]]) -> None:
    assert len(operations) > 30
    assert ("get", f"/v1/artefacts/{DUMMY}") in operations
    assert ("post", f"/v1/models/{DUMMY}/predict") in operations
    assert any(path.startswith("/v2/") for _method, path in operations)


def test_every_operation_is_refused_without_the_key(locked: ServerProcess, operations: list[tuple[str, str]]) -> None:
    open_ones = [
        (method, path)
        for method, path in [*operations, *BESIDE]
        if not is_open(path) and ask(locked, method, path).status != 401
    ]

    assert open_ones == []


def test_every_operation_is_refused_with_a_wrong_key(locked: ServerProcess, operations: list[tuple[str, str]]) -> None:
    open_ones = [
        (method, path)
        for method, path in [*operations, *BESIDE]
        if not is_open(path) and ask(locked, method, path, authorization=f"Bearer {KEY}x").status != 401
    ]

    assert open_ones == []


def test_no_operation_is_refused_with_the_key(locked: ServerProcess, operations: list[tuple[str, str]]) -> None:
    refused = [
        (method, path)
        for method, path in [*operations, *BESIDE]
        if ask(locked, method, path, authorization=f"Bearer {KEY}").status == 401
    ]

    assert refused == []


def test_no_operation_fails_on_what_it_does_not_expect(
    locked: ServerProcess, operations: list[tuple[str, str]]
) -> None:
    answers = {
        (method, path): ask(locked, method, path, authorization=f"Bearer {KEY}").status for method, path in operations
    }

    assert {operation: status for operation, status in answers.items() if status == 500} == {}


@pytest.mark.parametrize("path", ["/health/live", "/health/open", "/health/ready", "/metrics"])
def test_health_and_metrics_are_open_to_who_comes_directly(locked: ServerProcess, path: str) -> None:
    assert ask(locked, "get", path).status == 200


def test_metrics_are_closed_behind_a_proxy_and_health_is_not(locked: ServerProcess) -> None:
    metrics = ask(locked, "get", "/metrics", x_forwarded_for="203.0.113.9")
    health = ask(locked, "get", "/health/open", x_forwarded_for="203.0.113.9")

    assert (metrics.status, health.status) == (401, 200)


def test_refused_upload_is_answered_before_its_body_is_read(locked: ServerProcess) -> None:
    answer = locked.send(
        "POST", "/v1/models/m/versions", content_type="application/zip", content_length=str(10**9), connection="close"
    )

    assert answer.status == 401


def test_server_open_to_others_without_a_key_does_not_start(serve: Serve) -> None:
    server = serve("--host", "127.0.0.1", is_waiting=False, BIND_ADDRESS="0.0.0.0")

    assert server.wait_ended() == 1
    assert "set MLP_API_KEY" in server.log.read_text()
