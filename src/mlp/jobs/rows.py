"""Between rows of the jobs table and values: which columns make a job, and how each is read and written."""

from typing import Any

from mlp.jobs.job import Claim, Job, JobError, NewJob, Progress
from mlp.jobs.states import JobState
from mlp.jobs.tables import jobs

#: What job_of() reads; the columns of a result beside them are for job_with_result_of().
JOB_COLUMNS = (
    jobs.c.id,
    jobs.c.kind,
    jobs.c.model,
    jobs.c.queue,
    jobs.c.priority,
    jobs.c.state,
    jobs.c.attempt,
    jobs.c.attempts_max,
    jobs.c.is_cancel_requested,
    jobs.c.created_at,
    jobs.c.started_at,
    jobs.c.finished_at,
    jobs.c.progress,
    jobs.c.error,
    jobs.c.reply_to,
    jobs.c.tenant,
)


def row_of(new: NewJob, attempts_max: int) -> dict[str, Any]:
    """The columns of a job that is queued now, but for its times."""
    return {
        "id": new.id,
        "tenant": new.tenant,
        "queue": new.queue,
        "kind": new.kind,
        "model": new.model,
        "state": JobState.QUEUED.value,
        "priority": int(new.priority),
        "attempt": 0,
        "attempts_max": attempts_max if new.attempts_max is None else new.attempts_max,
        "reply_to": new.reply_to,
        "idempotency_key": new.idempotency_key,
        "fingerprint": new.fingerprint,
        "is_cancel_requested": False,
    }


def job_with_result_of(row: Any) -> Job:
    """The job of a row that has its result, too."""
    return job_of(row, row.result, row.digest)


def job_of(row: Any, result: bytes | None = None, result_digest: str | None = None) -> Job:
    """The job of a row."""
    return Job(
        id=row.id,
        kind=row.kind,
        model=row.model,
        queue=row.queue,
        priority=row.priority,
        state=JobState(row.state),
        attempt=row.attempt,
        attempts_max=row.attempts_max,
        is_cancel_requested=row.is_cancel_requested,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        progress=None if row.progress is None else Progress(**row.progress),
        result=result,
        error=None if row.error is None else JobError(**row.error),
        reply_to=row.reply_to,
        tenant=row.tenant,
        result_digest=result_digest,
    )


def claim_of(row: Any, lease_token: str, seconds_max: float) -> Claim:
    """The attempt that a claimed row, with its payload, has begun."""
    return Claim(
        id=row.id,
        kind=row.kind,
        model=row.model,
        payload=row.payload,
        attempt=row.attempt,
        attempts_max=row.attempts_max,
        lease_token=lease_token,
        wait_seconds=(row.started_at - row.created_at).total_seconds(),
        seconds_max=seconds_max,
        job=job_of(row),
    )


def progress_json(progress: Progress) -> dict[str, Any]:
    """What the column ``progress`` holds."""
    return {"done": progress.done, "total": progress.total, "message": progress.message}


def error_json(error: JobError | None) -> dict[str, str] | None:
    """What the column ``error`` holds."""
    return None if error is None else {"code": error.code, "detail": error.detail}
