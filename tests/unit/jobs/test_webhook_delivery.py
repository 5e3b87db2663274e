import json
from dataclasses import replace

import pytest

from mlp.clock import now
from mlp.jobs.job import Job, JobError
from mlp.jobs.states import JobState
from mlp.jobs.webhook_addresses import read_url
from mlp.jobs.webhook_delivery import DELAYS_SECONDS, GIVE_UP_SECONDS, RESULT_BYTES_MAX, Pauses, body_of

AT = now()
SUCCEEDED = Job(
    "j1", "test.echo", "churn", "default", 0, JobState.SUCCEEDED, 1, 3, False, AT, AT, AT, result=b'{"a":1}'
)
URL = read_url("http://example.org/done")


def test_body_is_the_job_with_the_members_of_the_specification() -> None:
    body = json.loads(body_of(SUCCEEDED))

    assert (body["type"], body["timestamp"]) == ("job.succeeded", body["finished_at"])
    assert (body["id"], body["state"], body["result"]) == ("j1", "succeeded", {"a": 1})


def test_body_of_a_failed_job_says_why() -> None:
    failed = replace(SUCCEEDED, state=JobState.FAILED, result=None, error=JobError("model_failed", "it raised"))

    body = json.loads(body_of(failed))

    assert (body["type"], body["error"]["code"]) == ("job.failed", "model_failed")


@pytest.mark.parametrize(("extra_bytes", "is_sent"), [(0, True), (1, False)])
def test_large_result_is_a_link(extra_bytes: int, is_sent: bool) -> None:
    result = b'"' + b"a" * (RESULT_BYTES_MAX - 2 + extra_bytes) + b'"'

    body = json.loads(body_of(replace(SUCCEEDED, result=result)))

    assert (body["result"] is not None, "result_url" in body) == (is_sent, not is_sent)
    assert is_sent or body["result_url"] == "/v1/jobs/j1"


def test_repetitions_go_on_for_about_a_day() -> None:
    assert sorted(DELAYS_SECONDS) == list(DELAYS_SECONDS)
    assert 0.5 * GIVE_UP_SECONDS < sum(DELAYS_SECONDS) <= GIVE_UP_SECONDS


def test_receiver_that_is_away_is_left_alone_and_others_are_not() -> None:
    pauses = Pauses(60.0)

    pauses.note(URL, is_away=True)
    pauses.note(URL, is_away=True)  # a call that was under way already

    assert 50 < pauses.seconds_left(URL) <= 60
    assert pauses.seconds_left(read_url("http://example.org:81/done")) == 0


def test_receiver_that_answers_is_called_again() -> None:
    pauses = Pauses(60.0)
    pauses.note(URL, is_away=True)

    pauses.note(URL, is_away=False)

    assert pauses.seconds_left(URL) == 0
