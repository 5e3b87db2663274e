"""Workers and queues over HTTP, and the server's examination."""

from typing import Any

import pytest

from mlp.client import Client
from mlp.client.examination import Status
from mlp.errors import UnknownQueue
from tests.unit.client.conftest import Web

WORKER: dict[str, Any] = {
    "id": "one/7",
    "host": "one",
    "pid": 7,
    "release": "0.1.0",
    "queues": ["mlp.high"],
    "processes": 2,
    "state": "running",
    "started_at": "2026-03-01T12:00:00Z",
    "age_seconds": 1.5,
    "is_live": True,
    "is_draining": False,
}
QUEUE: dict[str, Any] = {
    "name": "mlp.default",
    "queued": 3,
    "running": 1,
    "oldest_seconds": 2.5,
    "unpublished": 0,
    "unpublished_seconds": None,
    "workers": 1,
    "is_known": True,
    "is_paused": True,
    "reason": "why",
    "paused_at": "2026-03-01T12:00:00Z",
}


def test_workers_are_listed_and_drained(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/workers", {"workers": [WORKER]})
    web.tell("POST", "/v1/workers/one%2F7/drain", {**WORKER, "is_draining": True})
    web.tell("POST", "/v1/workers/one%2F7/undrain", WORKER)

    (worker,) = client.workers.list()
    drained = client.workers.drain("one/7")
    undrained = client.workers.undrain("one/7")

    assert (worker.queues, worker.is_live) == (["mlp.high"], True)
    assert (drained.is_draining, undrained.is_draining) == (True, False)


def test_queues_are_listed_paused_and_resumed(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/queues", {"queues": [QUEUE]})
    web.tell("POST", "/v1/queues/default/pause", QUEUE)
    web.tell("POST", "/v1/queues/default/resume", {**QUEUE, "is_paused": False, "reason": None, "paused_at": None})

    (queue,) = client.queues.list()
    paused = client.queues.pause("default", "why")
    resumed = client.queues.resume("default")

    assert (queue.queued, queue.oldest_seconds) == (3, 2.5)
    assert web.requests[1].json == {"reason": "why"}
    assert (paused.reason, resumed.is_paused) == ("why", False)


def test_unknown_queue_is_an_error_of_its_own(web: Web, client: Client) -> None:
    document = {"status": 404, "code": "unknown_queue", "detail": "there is mlp.high"}
    web.tell("POST", "/v1/queues/x/resume", document, status=404, content_type="application/problem+json")

    with pytest.raises(UnknownQueue, match=r"mlp\.high"):
        client.queues.resume("x")


def test_examination_tells_what_is_broken(web: Web, client: Client) -> None:
    part = {"name": "broker", "status": "ok", "version": "4.1", "latency_ms": 2.5, "detail": ""}
    cause = {"kind": "queue", "subject": "mlp.low", "status": "failed", "detail": "d", "remedy": "r"}
    web.tell("GET", "/v1/examination", {"is_stack": True, "components": [part], "causes": [cause]})
    web.tell("GET", "/v1/examination", {"is_stack": True, "components": [part], "causes": []})

    broken, well = client.examination(), client.examination()

    assert (broken.is_healthy, well.is_healthy) == (False, True)
    assert (broken.causes[0].status, broken.components[0].version) == (Status.FAILED, "4.1")
