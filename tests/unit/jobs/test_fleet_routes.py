import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from mlp.clock import now
from mlp.config import Settings
from mlp.errors import MLPError
from mlp.jobs.fleet_routes import router
from mlp.jobs.queues import Queues
from mlp.jobs.service import JobService
from mlp.jobs.workers import WorkerPhase, WorkerRegister, WorkerState
from mlp.storage.database import Database


@pytest.fixture
def register(database: Database) -> WorkerRegister:
    register = WorkerRegister(database)
    register.beat(WorkerState("one-7", "one", 7, "0.1.0", ("mlp.high",), 2, WorkerPhase.RUNNING, now()))
    return register


class Caller:
    """Calls of an application, one by one."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._call("GET", path))

    def post(self, path: str, json: object = None) -> httpx.Response:
        return asyncio.run(self._call("POST", path, json))

    async def _call(self, method: str, path: str, json: object = None) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://test") as client:
            return await client.request(method, path, json=json)


@pytest.fixture
def client(database: Database, register: WorkerRegister) -> Caller:
    """Of an application with these routes alone."""
    app = FastAPI()
    app.state.stack = SimpleNamespace(workers_register=register, queues=Queues(database, Settings(job_workers=0)))
    app.include_router(router)

    @app.exception_handler(MLPError)
    def show(_request: Request, error: MLPError) -> Response:
        return JSONResponse({"code": error.code}, error.status)

    return Caller(app)


def each_of(document: dict[str, Any], key: str) -> list[Any]:
    return [one[key] for one in next(iter(document.values()))]


def test_workers_are_listed_drained_and_taken_back(client: Caller, register: WorkerRegister) -> None:
    listed = client.get("/v1/workers").json()
    drained = client.post("/v1/workers/one-7/drain")
    wish = register.list_workers()[0].is_draining
    undrained = client.post("/v1/workers/one-7/undrain").json()

    assert each_of(listed, "id") == ["one-7"]
    assert (listed["workers"][0]["queues"], listed["workers"][0]["is_live"]) == (["mlp.high"], True)
    assert (drained.status_code, drained.json()["is_draining"], wish) == (200, True, True)
    assert undrained["is_draining"] is False


@pytest.mark.parametrize("verb", ["drain", "undrain"])
@pytest.mark.parametrize("worker_id", ["nobody", "%00"])
def test_unknown_worker_is_404(client: Caller, worker_id: str, verb: str) -> None:
    answer = client.post(f"/v1/workers/{worker_id}/{verb}")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_worker")


def test_queues_are_listed_paused_and_resumed(client: Caller, jobs: JobService) -> None:
    jobs.submit("test.echo", None, b"{}")

    listed = client.get("/v1/queues").json()
    paused = client.post("/v1/queues/mlp.default/pause", json={"reason": "because"}).json()
    without_body = client.post("/v1/queues/low/pause").json()
    resumed = client.post("/v1/queues/default/resume").json()

    assert each_of(listed, "name") == ["mlp.high", "mlp.default", "mlp.low"]
    assert each_of(listed, "workers") == [1, 0, 0]
    assert (paused["is_paused"], paused["reason"], paused["queued"]) == (True, "because", 1)
    assert (without_body["name"], without_body["reason"]) == ("mlp.low", "")
    assert (resumed["name"], resumed["is_paused"]) == ("mlp.default", False)


@pytest.mark.parametrize("verb", ["pause", "resume"])
@pytest.mark.parametrize("name", ["nothing", "%00"])
def test_unknown_queue_is_404(client: Caller, name: str, verb: str) -> None:
    answer = client.post(f"/v1/queues/{name}/{verb}")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_queue")


@pytest.mark.parametrize(("reason", "status"), [("\0", 400), ("x" * 1001, 422), (7, 422)])
def test_reason_that_cannot_be_kept_is_refused(client: Caller, reason: object, status: int) -> None:
    answer = client.post("/v1/queues/low/pause", json={"reason": reason})

    assert answer.status_code == status
