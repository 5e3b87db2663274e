import pytest

from mlp.clock import now
from mlp.errors import Conflict, MLPError, ModelFailed
from mlp.jobs.job import Job, JobError
from mlp.jobs.states import JobState
from mlp.jobs.waiting import result_or_error


def ended(state: JobState, *, result: bytes | None = None, error: JobError | None = None) -> Job:
    moment = now()
    return Job("j1", "test.echo", None, "default", 0, state, 1, 3, False, moment, moment, moment, None, result, error)


def test_result_of_a_job_that_succeeded() -> None:
    assert result_or_error(ended(JobState.SUCCEEDED, result=b"{}")) == b"{}"


def test_failure_is_the_error_of_its_code_with_the_job() -> None:
    with pytest.raises(ModelFailed, match="it raised") as caught:
        result_or_error(ended(JobState.FAILED, error=JobError("model_failed", "it raised")))

    assert caught.value.extra == {"job_id": "j1"}


def test_failure_of_an_unknown_code_is_the_server_s() -> None:
    with pytest.raises(MLPError, match="gone") as caught:
        result_or_error(ended(JobState.FAILED, error=JobError("of_a_later_release", "gone")))

    assert caught.value.status == 500


def test_cancelled_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="cancelled"):
        result_or_error(ended(JobState.CANCELLED))
