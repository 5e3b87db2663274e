"""Queued work: submit, look, wait with long polls, cancel, retry."""

import json
from typing import Any

import pytest

from mlp.client import Client
from mlp.client.jobs import JobRequest, result_of
from mlp.client.results import Answer, Job
from mlp.errors import (
    BadInput,
    Conflict,
    DeadlineExceeded,
    JobFinished,
    MLPError,
    ModelFailed,
    Unavailable,
    UnknownJob,
)
from tests.unit.client.conftest import Reply, Web

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


def stream_of(*jobs: dict[str, Any]) -> Reply:
    events = [f"id: {index}\nevent: state\ndata: {json.dumps(each)}\n\n" for index, each in enumerate(jobs)]
    return Reply(body="".join(["retry: 1000\n\n", *events]).encode(), content_type="text/event-stream")


def test_submit_many_is_one_request_with_the_jobs_in_order(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/models/churn/jobs/bulk", {"jobs": [job(), job(id="j2")]}, status=202)
    requests = [
        JobRequest([{"a": 1}], priority="low", webhook="http://example.org/done"),
        JobRequest([{"a": 2}], keys=["k"], expires_seconds=60),
    ]

    submitted = client.jobs.submit_many("churn", requests, idempotency_key="order-7")

    assert [each.id for each in submitted] == ["j1", "j2"]
    assert web.requests[0].json == {
        "jobs": [
            {"rows": [{"a": 1}], "priority": "low", "webhook": "http://example.org/done"},
            {"rows": [{"a": 2}], "keys": ["k"], "expires_seconds": 60},
        ]
    }
    assert web.requests[0].headers["idempotency-key"] == '"order-7"'


def test_submit_many_with_one_at_fault_names_it(web: Web, client: Client) -> None:
    problem = {"code": "bad_input", "detail": "job 1: no", "job": 1}
    web.tell("POST", "/v1/models/churn/jobs/bulk", problem, status=400)

    with pytest.raises(BadInput) as caught:
        client.jobs.submit_many("churn", [JobRequest([{"a": 1}])] * 2)

    assert caught.value.extra["job"] == 1


def test_events_are_the_job_at_each_change_to_its_end(web: Web, client: Client) -> None:
    done = job(state="succeeded", result=ANSWER)
    web.tell_reply("GET", "/v1/jobs/j1/events", stream_of(job(), job(state="running"), done))

    seen = list(client.jobs.events("j1"))

    assert [each.state for each in seen] == ["queued", "running", "succeeded"]
    assert seen[-1].result == ANSWER
    assert web.requests[0].headers["accept"] == "text/event-stream"


def test_events_go_on_behind_the_last_one_when_a_server_has_stopped(web: Web, client: Client) -> None:
    web.tell_reply("GET", "/v1/jobs/j1/events", stream_of(job(), job(state="running")))
    web.tell("GET", "/v1/jobs/j1/events", {"code": "unavailable", "detail": "starting"}, status=503)
    web.tell_reply("GET", "/v1/jobs/j1/events", stream_of(job(state="running"), job(state="cancelled")))

    seen = list(client.jobs.events("j1"))

    assert [each.state for each in seen] == ["queued", "running", "cancelled"]
    assert [request.headers.get("last-event-id") for request in web.requests] == [None, "1", "1"]


def test_events_of_an_unknown_job_and_of_a_server_that_is_away(web: Web, client: Client) -> None:
    web.tell("GET", "/v1/jobs/j1/events", {"code": "unknown_job", "detail": "none"}, status=404)
    web.tell("GET", "/v1/jobs/j2/events", {"code": "unavailable", "detail": "starting"}, status=503)

    with pytest.raises(UnknownJob):
        list(client.jobs.events("j1"))
    with pytest.raises(Unavailable):
        list(client.jobs.events("j2"))


def test_retry_with_a_key_sends_it(web: Web, client: Client) -> None:
    web.tell("POST", "/v1/jobs/j1/retry", job(id="j2"), status=202)

    client.jobs.retry("j1", idempotency_key="retry/j1")

    assert web.requests[0].headers["idempotency-key"] == '"retry/j1"'
