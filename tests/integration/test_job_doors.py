"""The doors of jobs on a real server: many at once, a preferred wait, events that go on, webhooks after kill -9."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from mlp.cli.main import run
from mlp.client.jobs import JobRequest
from mlp.client.results import Job
from mlp.errors import BadInput, IdempotencyKeyReused, TooManyRequests
from tests.models import sign_model
from tests.servers import Serve, ServerProcess, until
from tests.webhook_receiver import SECRET, receiving
from tests.workers import StackOfProcesses

pytestmark = pytest.mark.slow

WEBHOOKS = {"MLP_WEBHOOK_SECRET": SECRET, "MLP_WEBHOOK_PRIVATE_ADDRESSES": "true"}
#: A model that sleeps for a second where x is above 100.
SLOW = 'time.sleep(1.0 if frame["x"].max() > 100 else 0.0)'
JOBS, PREDICT, BULK = ("/v1/models/sign/jobs", "/v1/models/sign/predict", "/v1/models/sign/jobs/bulk")
ROW, SLOW_ROW = {"rows": [[1, 1]]}, {"rows": [[101, 1]]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a model; for the tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("doors")
    running = ServerProcess(folder / "data", **WEBHOOKS, MLP_JOBS_BULK_MAX="1000").wait_ready()
    running.client.models.add("sign", sign_model(folder / "sign", at_predict=SLOW))
    yield running
    running.kill()


def prefer(server: ServerProcess, path: str, body: Any, preference: str) -> urllib3.BaseHTTPResponse:
    return server.send("POST", path, json.dumps(body).encode(), prefer=preference, content_type="application/json")


def test_many_jobs_are_accepted_in_order_and_done(server: ServerProcess) -> None:
    requests = [JobRequest([[0, number]], keys=[str(number)]) for number in range(300)]

    submitted = server.client.jobs.submit_many("sign", requests)

    answers = [server.client.jobs.answer(job.id, 60) for job in submitted]
    assert [answer.predictions[0].key for answer in answers] == [str(number) for number in range(300)]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"rows": [[1]]}, "job 2: row 0: expected 2 values, got 1"),
        ({"rows": [[1, 1]], "priority": "urgent"}, 'job 2: "urgent" is no priority'),
        ({"rows": [[1, 1]], "webhook": "ftp://a"}, "must begin with http"),
        ({"rows": [[1, 1]], "at": "yesterday"}, "job 2: "),
        ({}, "job 2: "),
        ("x", "job 2: "),
    ],
)
def test_one_bad_job_is_named_and_none_is_accepted(server: ServerProcess, bad: Any, message: str) -> None:
    before = len(server.client.jobs.list(limit=None))

    answer = server.ask(BULK, {"jobs": [ROW, ROW, bad]})

    assert (answer.status, message in answer.json()["detail"]) == (400, True), answer.data
    assert len(server.client.jobs.list(limit=None)) == before


@pytest.mark.parametrize("body", [b"", b"[]", b'{"jobs": []}', b'{"jobs": {}}', b'{"job": []}', b'{"jobs": [' * 500])
def test_bulk_body_of_another_form_is_the_client_s_mistake(server: ServerProcess, body: bytes) -> None:
    assert server.send("POST", BULK, body).status == 400


def test_more_jobs_than_one_request_may_have_are_refused(server: ServerProcess) -> None:
    answer = server.ask(BULK, {"jobs": [ROW] * 1001})

    assert (answer.status, "jobs_bulk_max" in answer.json()["detail"]) == (400, True)


def test_bulk_of_an_unknown_model_or_with_a_long_key(server: ServerProcess) -> None:
    body = json.dumps({"jobs": [ROW]}).encode()

    assert server.ask("/v1/models/none/jobs/bulk", {"jobs": [ROW]}).status == 404
    assert server.send("POST", BULK, body, idempotency_key="k" * 253).status == 202
    assert server.send("POST", BULK, body, idempotency_key="k" * 254).status == 400


def test_repeated_bulk_is_the_same_jobs_and_another_one_is_refused(server: ServerProcess) -> None:
    requests = [JobRequest([[number, 0]]) for number in range(20)]
    ids: list[list[str]] = []

    def submit() -> None:
        ids.append([job.id for job in server.client.jobs.submit_many("sign", requests, idempotency_key="bulk-1")])

    threads = [threading.Thread(target=submit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(ids) == 6
    assert all(each == ids[0] for each in ids)
    for other in (requests[:-1], [*requests, requests[0]], [*requests[:-1], JobRequest([[99, 0]])]):
        with pytest.raises(IdempotencyKeyReused):
            server.client.jobs.submit_many("sign", other, idempotency_key="bulk-1")


def test_full_queue_refuses_a_bulk_whole(serve: Serve, tmp_path: Path) -> None:
    server = serve(MLP_JOBS_QUEUED_MAX="10", MLP_JOB_WORKERS="1")
    server.client.models.add("sign", sign_model(tmp_path / "sign", at_predict=SLOW))

    with pytest.raises(TooManyRequests):
        server.client.jobs.submit_many("sign", [JobRequest([[1, 0]])] * 11)

    assert server.client.jobs.list(kind="inference.predict") == []


def test_expiry_and_webhook_in_the_query(server: ServerProcess) -> None:
    with receiving() as receiver:
        answer = server.ask(f"{JOBS}?webhook={receiver.url}&expires_seconds=60", ROW)
        until(lambda: len(receiver.received) == 1, 30)

    assert answer.status == 202
    assert receiver.received[0].document["id"] == answer.json()["id"]
    assert server.ask(f"{JOBS}?expires_seconds=soon", ROW).status == 400
    assert server.ask(f"{JOBS}?expires_seconds=5", {**ROW, "expires_seconds": 6}).status == 400


def test_conditions_do_not_go_on_record(server: ServerProcess) -> None:
    with receiving() as receiver:
        job = server.client.jobs.submit("sign", [[3, 4]], webhook=receiver.url, expires_seconds=60)
        answer = server.client.jobs.answer(job.id)
        until(lambda: len(receiver.received) == 1, 30)

    until(lambda: server.get(f"/v1/inferences/{answer.id}").status == 200, 30)
    assert receiver.url not in server.get(f"/v1/inferences/{answer.id}").data.decode()


def test_prediction_now_with_a_webhook_is_refused(server: ServerProcess) -> None:
    answer = server.ask(PREDICT, {**ROW, "webhook": "http://example.org/"})

    assert (answer.status, "respond-async" in answer.json()["detail"]) == (400, True)


def test_preferred_wait_answers_as_a_prediction_does(server: ServerProcess) -> None:
    answer = prefer(server, PREDICT, {**ROW, "keys": ["k"]}, "respond-async, wait=30")

    assert (answer.status, answer.headers["preference-applied"]) == (200, "wait=30")
    assert answer.json()["predictions"][0]["key"] == "k"


def test_preferred_wait_that_is_too_short_answers_with_the_job(server: ServerProcess) -> None:
    answer = prefer(server, PREDICT, SLOW_ROW, 'Respond-Async; x="y", wait=0')

    assert (answer.status, answer.headers["preference-applied"]) == (202, "respond-async, wait=0")
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    assert server.client.jobs.wait(answer.json()["id"], 60).state == "succeeded"


def test_preferred_wait_of_a_job_answers_with_the_ended_job(server: ServerProcess) -> None:
    answer = prefer(server, JOBS, ROW, "wait=30")

    assert (answer.status, answer.json()["state"]) == (200, "succeeded")
    assert answer.json()["result"]["model"] == "sign"


def test_name_that_only_begins_like_the_preference_is_none(server: ServerProcess) -> None:
    assert prefer(server, PREDICT, ROW, "respond-asynchronously").status == 200


def test_events_tell_of_a_job_until_its_end(server: ServerProcess) -> None:
    job = server.client.jobs.submit("sign", [[101, 1]])

    seen = list(server.client.jobs.events(job.id))

    assert seen[-1].state == "succeeded"
    assert seen[-1].result["model"] == "sign"
    assert [each.state for each in seen] in (["queued", "running", "succeeded"], ["running", "succeeded"])


def test_reader_that_goes_away_is_forgotten(server: ServerProcess) -> None:
    job = server.client.jobs.submit("sign", [[101, 1]])

    for _ in range(50):
        answer = urllib3.request("GET", f"{server.url}/v1/jobs/{job.id}/events", preload_content=False, timeout=30)
        next(iter(answer.stream()))
        answer.close()

    assert server.client.jobs.wait(job.id, 60).state == "succeeded"
    assert server.get("/health/live").status == 200


def test_stopping_server_ends_streams_and_polls_and_the_next_one_goes_on(serve: Serve, tmp_path: Path) -> None:
    first = serve()
    first.client.models.add("sign", sign_model(tmp_path / "sign"))
    assert first.stop() == 0
    idle = serve(MLP_JOB_WORKERS="0")
    job_id = idle.client.jobs.submit("sign", [[1, 1]]).id
    path, polled = f"/v1/jobs/{job_id}/events", list[Job]()
    poll = threading.Thread(target=lambda: polled.append(idle.client.jobs.show(job_id, 60)))
    poll.start()
    chunks = urllib3.request("GET", idle.url + path, preload_content=False, timeout=60).stream()
    begun = [next(chunks), next(chunks)]

    assert idle.stop() == 0

    rest = b"".join(chunks)
    poll.join(30)
    again = serve()
    resumed = again.send("GET", path, last_event_id="0.queued").data
    assert b"id: 0.queued\nevent: state\n" in b"".join(begun)
    assert (rest, [job.state for job in polled]) == (b"", ["queued"])
    assert b"event: end" in resumed
    assert b"id: 0.queued" not in resumed


def test_kill_between_the_job_s_end_and_the_call_delivers_after_the_restart(serve: Serve, tmp_path: Path) -> None:
    points = tmp_path / "points"
    points.mkdir()
    server = serve(**WEBHOOKS, MLP_CRASH_FOLDER=str(points))
    server.client.models.add("sign", sign_model(tmp_path / "sign"))
    (points / "before_webhook_taken").touch()
    with receiving() as receiver:
        job = server.client.jobs.submit("sign", [[1, 1]], webhook=receiver.url)
        assert server.wait_ended() != 0
        assert receiver.received == []

        again = serve(**WEBHOOKS)
        until(lambda: _are_delivered(again, {job.id}), 60)

    assert [received.document["id"] for received in receiver.received] == [job.id]
    assert receiver.received[0].is_signed()


def test_kill_between_the_call_and_its_note_calls_again_with_the_same_id(serve: Serve, tmp_path: Path) -> None:
    points = tmp_path / "points"
    points.mkdir()
    server = serve(**WEBHOOKS, MLP_CRASH_FOLDER=str(points))
    server.client.models.add("sign", sign_model(tmp_path / "sign"))
    (points / "after_webhook_call").touch()
    with receiving() as receiver:
        job = server.client.jobs.submit("sign", [[1, 1]], webhook=receiver.url)
        assert server.wait_ended() != 0
        assert len(receiver.received) == 1

        serve(**WEBHOOKS)
        until(lambda: len(receiver.received) == 2, 90)  # when the dead process's lease is over

    assert [received.headers["webhook-id"] for received in receiver.received] == [job.id] * 2


def test_webhooks_without_a_secret_are_refused(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.client.models.add("sign", sign_model(tmp_path / "sign"))

    with pytest.raises(BadInput, match="MLP_WEBHOOK_SECRET"):
        server.client.jobs.submit("sign", [[1, 1]], webhook="https://example.org/done")


@pytest.fixture
def stack_variables(stack_variables: dict[str, str]) -> dict[str, str]:
    """The stack's, with webhooks."""
    return {**stack_variables, **WEBHOOKS}


@pytest.mark.postgres
@pytest.mark.rabbitmq
@pytest.mark.redis
def test_job_that_a_worker_ends_is_followed_and_told_by_the_server(
    stack_of_processes: StackOfProcesses, tmp_path: Path
) -> None:
    server = stack_of_processes.server
    stack_of_processes.start_worker()
    server.client.models.add("sign", sign_model(tmp_path / "sign", at_predict=SLOW))
    with receiving([500]) as receiver:
        requests = [JobRequest([[101, 1]], webhook=receiver.url), *[JobRequest([[1, 1]], webhook=receiver.url)] * 20]
        submitted = server.client.jobs.submit_many("sign", requests)
        seen = list(server.client.jobs.events(submitted[0].id))
        ids = {job.id for job in submitted}
        until(lambda: {received.headers["webhook-id"] for received in receiver.received} == ids, 60)
        until(lambda: _are_delivered(server, ids), 60)

    assert seen[-1].state == "succeeded"
    assert all(received.is_signed() for received in receiver.received)
    assert len(receiver.received) == len(ids) + 1


def _are_delivered(server: ServerProcess, job_ids: set[str]) -> bool:
    webhooks = [server.client.jobs.show(job_id).webhook for job_id in job_ids]
    return all(webhook is not None and webhook.state == "delivered" for webhook in webhooks)


def test_many_jobs_are_cancelled_and_retried_once_from_the_command_line(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = serve()
    first.client.models.add("sign", sign_model(tmp_path / "sign"))
    assert first.stop() == 0
    idle = serve(MLP_JOB_WORKERS="0")
    # More than a page of a list has.
    idle.client.jobs.submit_many("sign", [JobRequest([[1, 1]])] * 130)
    cancel = ["jobs", "cancel", "--model", "sign", "--state", "queued", "--yes", "--url", idle.url]
    retry = ["jobs", "retry", "--model", "sign", "--state", "cancelled", "--yes", "--url", idle.url]

    assert [run(cancel), run(cancel)] == [0, 0]
    assert [run(retry), run(retry)] == [0, 0]

    assert capsys.readouterr().out.splitlines() == [
        "cancelled 130 queued jobs of model sign",
        "cancelled 0 queued jobs of model sign",
        "retried 130 cancelled jobs of model sign",
        "retried 130 cancelled jobs of model sign",
    ]
    assert len(idle.client.jobs.list(model="sign", state="queued", limit=None)) == 130


def test_follow_prints_changes_and_then_the_job(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    job = server.client.jobs.submit("sign", [[101, 1]])

    assert run(["jobs", "show", job.id, "--follow", "--url", server.url]) == 0

    captured = capsys.readouterr()
    assert "running" in captured.err.splitlines()
    assert "succeeded" in captured.out
