"""The routes of models: what goes in, what comes out, and which status."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mlp.api.errors import add_error_answers
from mlp.jobs.service import JobService
from mlp.registry.routes import router
from mlp.registry.service import RegistryService
from tests.unit.registry.conftest import AddVersion
from tests.versions import zip_bytes

FOLDER = zip_bytes({"mlp.toml": b"[model]\n"})


class Caller:
    """Sends requests to an application with the routes of the registry."""

    def __init__(self, registry: RegistryService, jobs: JobService) -> None:
        self._app = FastAPI()
        self._app.state.stack = SimpleNamespace(registry=registry, jobs=jobs)
        self._app.include_router(router)
        add_error_answers(self._app)

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **request)

        return asyncio.run(send())


@pytest.fixture
def call(registry: RegistryService, jobs: JobService) -> Caller:
    return Caller(registry, jobs)


def zips_in(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "artefacts").glob("**/*.zip"))


def test_model_is_shown_as_the_contract_has_it(call: Caller, add: AddVersion) -> None:
    add()
    add(alias="challenger")

    shown = call("GET", "/v1/models/churn")

    assert shown.status_code == 200
    document = shown.json()
    assert document.pop("created_at").endswith("Z")
    assert document == {
        "name": "churn",
        "aliases": {"champion": "1", "challenger": "2"},
        "versions_count": 2,
        "latest_version": "2",
        "traffic": {"canary": None, "shadow": None},
        "settings": {"label_horizon_seconds": 86_400.0, "record": "on"},
    }


def test_version_is_shown_as_the_contract_has_it(call: Caller, add: AddVersion) -> None:
    digest = add().digest

    shown = call("GET", "/v1/models/churn/versions/champion")

    assert shown.status_code == 200
    document = shown.json()
    assert document.pop("created_at").endswith("Z")
    assert document == {
        "model": "churn",
        "version": "1",
        "runtime": "sklearn",
        "task": "classification",
        "digest": digest,
        "size_bytes": 1234,
        "signature": {
            "task": "classification",
            "inputs": [
                {
                    "name": "age",
                    "dtype": "int64",
                    "nullable": False,
                    "minimum": 0,
                    "maximum": None,
                    "categories": None,
                    "unknown": "refuse",
                    "shape": [],
                },
                {
                    "name": "plan",
                    "dtype": "category",
                    "nullable": False,
                    "minimum": None,
                    "maximum": None,
                    "categories": ["basic", "plus"],
                    "unknown": "refuse",
                    "shape": [],
                },
            ],
            "outputs": [],
            "classes": [False, True],
            "positive_class": None,
            "extra_columns": "refuse",
        },
        "environment": {"python": "3.11.7", "packages": {"scikit-learn": "1.9.1"}},
        "trained_with": {"scikit-learn": "1.9.1"},
        "warnings": ["mind the gap"],
        "metrics": {"auc": 0.81},
        "lineage": {"commit": "abc"},
        "example": [{"age": 7, "plan": "plus"}],
        "aliases": ["champion"],
        "has_reference": False,
    }


def test_lists_are_paged_by_their_cursors(call: Caller, add: AddVersion) -> None:
    for _ in range(3):
        add()
    add("flights")

    models = call("GET", "/v1/models", params={"limit": 1}).json()
    more = call("GET", "/v1/models", params={"limit": 1, "cursor": models["next"]}).json()
    versions = call("GET", "/v1/models/churn/versions", params={"limit": 2}).json()

    assert [item["name"] for item in (*models["models"], *more["models"])] == ["churn", "flights"]
    assert more["next"] is None
    assert [item["version"] for item in versions["versions"]] == ["3", "2"]
    assert versions["next"] is not None


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/churn/versions", "/v1/models/churn/history"])
def test_list_with_a_bad_query_is_refused(call: Caller, add: AddVersion, path: str) -> None:
    add()

    for query in ({"limit": 0}, {"limit": 5000}, {"limit": "x"}, {"cursor": "%%"}):
        assert call("GET", path, params=query).status_code == 400


def test_promotion_and_rollback_are_shown_in_the_history(call: Caller, add: AddVersion) -> None:
    add()
    add()

    promoted = call("POST", "/v1/models/churn/promote", json={"version": "2", "reason": "better"})
    back = call("POST", "/v1/models/churn/rollback", json={"reason": "worse"})
    history = call("GET", "/v1/models/churn/history").json()

    assert (promoted.status_code, promoted.json()["aliases"]) == (200, {"champion": "2"})
    assert (back.status_code, back.json()["aliases"]) == (200, {"champion": "1"})
    assert history["next"] is None
    assert [(item["kind"], item["from_version"], item["to_version"], item["reason"]) for item in history["moves"]] == [
        ("rollback", "2", "1", "worse"),
        ("promote", "1", "2", "better"),
        ("set", None, "1", "the first version"),
    ]
    assert all(item["at"].endswith("Z") and item["alias"] == "champion" for item in history["moves"])


def test_rollback_without_a_body_needs_no_reason(call: Caller, add: AddVersion) -> None:
    add()
    add()
    call("PUT", "/v1/models/churn/aliases/champion", json={"version": "2"})

    assert call("POST", "/v1/models/churn/rollback").json()["aliases"] == {"champion": "1"}


def test_rollback_with_nothing_before_is_a_conflict(call: Caller, add: AddVersion) -> None:
    add()

    refused = call("POST", "/v1/models/churn/rollback", json={})

    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_roll_back")


def test_alias_is_set_and_deleted(call: Caller, add: AddVersion) -> None:
    add()

    assert call("PUT", "/v1/models/churn/aliases/best", json={"version": "1"}).json()["aliases"]["best"] == "1"
    assert "best" not in call("DELETE", "/v1/models/churn/aliases/best").json()["aliases"]
    assert call("DELETE", "/v1/models/churn/aliases/champion").status_code == 409


def test_traffic_is_set_and_shown(call: Caller, add: AddVersion) -> None:
    add(alias="challenger")
    traffic = {"canary": {"alias": "challenger", "percent": 12.5}, "shadow": "challenger"}

    assert call("PUT", "/v1/models/churn/traffic", json=traffic).json()["traffic"] == traffic
    assert call("PUT", "/v1/models/churn/traffic", json={}).json()["traffic"] == {"canary": None, "shadow": None}


def test_settings_that_are_not_named_stay(call: Caller, add: AddVersion) -> None:
    add()
    call("PATCH", "/v1/models/churn", json={"settings": {"label_horizon_seconds": 3600}})

    changed = call("PATCH", "/v1/models/churn", json={"settings": {"record": "off"}}).json()["settings"]
    back = call("PATCH", "/v1/models/churn", json={"settings": {"record": None}}).json()["settings"]

    assert changed == {"label_horizon_seconds": 3600, "record": "off"}
    assert back == {"label_horizon_seconds": 3600, "record": "on"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"settings": {"record": "sometimes"}}),
        ("PATCH", "", {"settings": {"label_horizon_seconds": -1}}),
        ("PATCH", "", {"settings": {"label_horizon_seconds": 1e12}}),
        ("PATCH", "", {"settings": {"horizon": 1}}),
        ("PATCH", "", {"name": "other"}),
        ("PATCH", "", []),
        ("PUT", "/traffic", {"canary": {"alias": "best", "percent": 101}}),
        ("PUT", "/traffic", {"canary": {"alias": "best", "percent": -0.1}}),
        ("PUT", "/traffic", {"canary": {"alias": "best"}}),
        ("PUT", "/traffic", {"canary": {"alias": "champion", "percent": 5}}),
        ("PUT", "/traffic", {"shadows": "best"}),
        ("PUT", "/aliases/best", {}),
        ("PUT", "/aliases/best", {"version": None}),
        ("PUT", "/aliases/best", {"version": "1", "reason": "x" * 3000}),
        ("PUT", "/aliases/7", {"version": "1"}),
        ("POST", "/promote", {"version": "1", "force": True}),
        ("POST", "/rollback", {"reason": 7}),
    ],
)
def test_body_that_does_not_fit_is_the_callers_mistake(
    call: Caller, add: AddVersion, method: str, path: str, body: Any
) -> None:
    add()

    assert call(method, f"/v1/models/churn{path}", json=body).status_code == 400


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"settings": {"label_horizon_seconds": NaN}}', b""])
def test_body_that_is_no_json_is_the_callers_mistake(call: Caller, add: AddVersion, content: bytes) -> None:
    add()

    sent = call("PATCH", "/v1/models/churn", content=content, headers={"Content-Type": "application/json"})

    assert sent.status_code == 400


@pytest.mark.parametrize("name", ["chrun", "%00", "%ED%A0%80", "x" * 3000, "a%0Ab", "caf%C3%A9"])
def test_unknown_model_is_not_found(call: Caller, add: AddVersion, name: str) -> None:
    add()

    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/versions"),
        ("GET", "/versions/1"),
        ("DELETE", "/versions/1"),
        ("POST", "/rollback"),
        ("GET", "/history"),
        ("DELETE", "/aliases/best"),
    ):
        answer = call(method, f"/v1/models/{name}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
        assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_version_is_not_found_and_says_what_there_is(call: Caller, add: AddVersion) -> None:
    add()

    answer = call("GET", "/v1/models/churn/versions/9")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_version")
    assert answer.json()["detail"] == "model 'churn' has no version '9': it has '1' (champion is 1)"


def test_model_with_an_unusual_name_is_reached_by_its_path(call: Caller, add: AddVersion) -> None:
    add("Büro 模型")

    assert call("GET", "/v1/models/B%C3%BCro%20%E6%A8%A1%E5%9E%8B").json()["name"] == "Büro 模型"


def test_version_in_use_is_not_deleted(call: Caller, add: AddVersion) -> None:
    add()
    add()

    assert call("DELETE", "/v1/models/churn/versions/1").json()["code"] == "version_in_use"
    deleted = call("DELETE", "/v1/models/churn/versions/2")
    assert (deleted.status_code, deleted.content) == (204, b"")


def test_model_is_deleted_with_its_versions(call: Caller, add: AddVersion) -> None:
    add()

    assert call("DELETE", "/v1/models/churn").status_code == 204
    assert call("GET", "/v1/models/churn").status_code == 404


def test_upload_is_answered_with_its_job(call: Caller, tmp_path: Path) -> None:
    accepted = call("POST", "/v1/models/churn/versions?alias=best&allow_mismatch=true", content=FOLDER)

    job = accepted.json()
    assert accepted.status_code == 202
    assert accepted.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["model"], job["state"]) == ("registry.accept", "churn", "queued")
    assert len(zips_in(tmp_path)) == 1


def test_upload_that_comes_in_pieces_is_taken(call: Caller) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(FOLDER), 7):
            yield FOLDER[start : start + 7]

    assert call("POST", "/v1/models/churn/versions", content=pieces()).status_code == 202


def test_upload_that_says_it_is_too_large_is_refused_at_once(call: Caller, tmp_path: Path) -> None:
    async def unread() -> AsyncIterator[bytes]:
        yield b""
        raise AssertionError("the body was asked for")

    refused = call("POST", "/v1/models/churn/versions", content=unread(), headers={"Content-Length": "1000001"})

    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    assert zips_in(tmp_path) == []


def test_upload_that_turns_out_too_large_is_refused(call: Caller, tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield bytes(100_000)

    refused = call("POST", "/v1/models/churn/versions", content=pieces())

    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    assert zips_in(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/v1/models/churn/versions", b'{"a": 1}', 422, "bad_model_folder"),
        ("/v1/models/churn/versions", b"", 422, "bad_model_folder"),
        ("/v1/models/a%5Cb/versions", FOLDER, 400, "bad_input"),
        ("/v1/models/churn/versions?alias=No", FOLDER, 400, "bad_input"),
        ("/v1/models/churn/versions?allow_mismatch=perhaps", FOLDER, 400, "bad_input"),
    ],
)
def test_upload_that_cannot_become_a_version_is_refused(
    call: Caller, tmp_path: Path, path: str, content: bytes, status: int, code: str
) -> None:
    refused = call("POST", path, content=content)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert zips_in(tmp_path) == []


def test_upload_that_breaks_off_leaves_nothing(registry: RegistryService, jobs: JobService, tmp_path: Path) -> None:
    app = FastAPI()
    app.state.stack = SimpleNamespace(registry=registry, jobs=jobs)
    app.include_router(router)
    add_error_answers(app)
    parts = [{"type": "http.request", "body": FOLDER[:50], "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/models/churn/versions",
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
    }
    asyncio.run(app(scope, receive, send))

    assert sent[0]["status"] == 400
    assert zips_in(tmp_path) == []
