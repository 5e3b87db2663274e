"""Queued work: submit, look, wait with long polls, cancel, retry."""

from typing import Any

import pytest

from mlp.client import Client
from mlp.client.jobs import result_of
from mlp.client.results import Answer, Job
from mlp.errors import Conflict, DeadlineExceeded, JobFinished, MLPError, ModelFailed
from tests.unit.client.conftest import Web

QUEUED = {
    "id": "j1",
    "kind": "inference.predict",
    "model": "churn",
    "state": "queued",
    "attempt": 0,
    "created_at": "2026-03-01T12:00:00Z",
    "started_at": None,
    "finished_at": None,
    "progress": {"done": 1, "total": 2, "message": "half"},
    "result": None,
    "error": None,
}
ANSWER = {"id": "i1", "model": "churn", "version": "1", "predictions": [{"label": 1}]}


def job(**changes: Any) -> dict[str, Any]:
    return {**QUEUED, **changes}


def test_submit_sends_rows_priority_and_key(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/models/churn/jobs", job(), status=202)

    submitted = client.jobs.submit("churn", [{"a": 1}], keys=["k"], priority="high", idempotency_key="order-7")

    assert web.requests[0].json == {"rows": [{"a": 1}], "keys": ["k"], "priority": "high"}
    assert web.requests[0].headers["idempotency-key"] == '"order-7"'
    assert submitted.progress is not None
    assert (submitted.state, submitted.is_finished, submitted.progress.message) == ("queued", False, "half")


def test_list_asks_with_its_filters(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs", {"jobs": [job()], "next": None})

    jobs = client.jobs.list(model="churn", state="queued", limit=7)

    assert [item.id for item in jobs] == ["j1"]
    assert web.requests[0].query == {"model": "churn", "state": "queued", "limit": "7"}


def test_wait_polls_until_the_job_is_finished(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs/j1", job())
    web.tell("GET", "/v1/jobs/j1", job(state="running"))
    web.tell("GET", "/v1/jobs/j1", job(state="succeeded", result=ANSWER))

    finished = client.jobs.wait("j1", 20)

    assert finished.state == "succeeded"
    assert [request.query["wait"] for request in web.requests] == ["20", "20", "20"]


def test_wait_gives_up_at_its_deadline(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs/j1", job())

    with pytest.raises(DeadlineExceeded, match=r"job j1 is queued after 0\.15 s; it goes on"):
        client.jobs.wait("j1", 0.15)

    assert "wait" not in web.requests[-1].query


def test_answer_is_that_of_the_prediction(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs/j1", job(state="succeeded", result=ANSWER))

    answer = client.jobs.answer("j1")

    assert answer.predictions[0].label == 1


def test_answer_of_a_failed_job_raises_its_error(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs/j1", job(state="failed", error={"code": "model_failed", "detail": "ValueError: x"}))

    with pytest.raises(ModelFailed, match="ValueError: x") as raised:
        client.jobs.answer("j1")

    assert raised.value.extra == {"job_id": "j1"}


def test_result_of_a_cancelled_job_is_a_conflict(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs/j1", job(state="cancelled"))

    with pytest.raises(Conflict, match="job j1 was cancelled"):
        client.jobs.answer("j1")


def test_result_of_another_form_is_named(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs/j1", job(state="succeeded", result={"id": 3}))
    finished: Job = client.jobs.wait("j1")

    with pytest.raises(MLPError, match="the result of job j1 cannot be read"):
        result_of(finished, Answer)


def test_cancel_and_retry_return_the_job(web: Web, client: Client) -> None:
    web.tell("DELETE", "/v1/jobs/j1", job(state="cancelled"))
    web.tell("POST", "/v1/jobs/j1/retry", job())

    states = (client.jobs.cancel("j1").state, client.jobs.retry("j1").state)

    assert states == ("cancelled", "queued")


def test_cancel_of_a_finished_job_is_refused(web: Web, client: Client) -> None:
    document = {"status": 409, "code": "job_finished", "detail": "done"}
    web.tell("DELETE", "/v1/jobs/j1", document, status=409, content_type="application/problem+json")

    with pytest.raises(JobFinished, match="done"):
        client.jobs.cancel("j1")
