import json
from dataclasses import replace
from datetime import UTC, datetime

from mlp.jobs import schemas
from mlp.jobs.job import Job, JobError, Progress
from mlp.jobs.states import JobState
from mlp.storage.paging import Page

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUEUED = Job("id-1", "test.echo", "churn", "default", 0, JobState.QUEUED, 0, 3, False, AT)
ENDED = replace(
    QUEUED,
    id="id-2",
    state=JobState.SUCCEEDED,
    started_at=AT,
    finished_at=AT,
    progress=Progress(2),
    result=b'{"a": [1]}',
    error=JobError("internal", "why"),
)


def test_job_answer_shows_a_queued_job() -> None:
    answer = schemas.job_answer(QUEUED, status=202)

    assert answer.status_code == 202
    assert answer.headers["location"] == "/v1/jobs/id-1"
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(bytes(answer.body)) == {
        "id": "id-1",
        "kind": "test.echo",
        "model": "churn",
        "state": "queued",
        "attempt": 0,
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": None,
        "finished_at": None,
        "progress": None,
        "result": None,
        "error": None,
    }


def test_job_answer_shows_result_progress_and_error() -> None:
    answer = schemas.job_answer(ENDED)

    shown = json.loads(bytes(answer.body))
    assert "location" not in answer.headers
    assert shown["result"] == {"a": [1]}
    assert shown["progress"] == {"done": 2, "total": None, "message": ""}
    assert shown["error"] == {"code": "internal", "detail": "why"}


def test_answers_have_the_documented_shape() -> None:
    listed = schemas.list_answer(Page((QUEUED, ENDED), "cursor"))

    for shown in json.loads(bytes(listed.body))["jobs"]:
        assert set(shown) == set(schemas.Job.model_fields)
    assert schemas.JobList.model_validate_json(bytes(listed.body)).next == "cursor"
