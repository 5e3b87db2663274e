"""The routes of jobs: list, show (and wait), follow, cancel, retry; what jobs are for has the routes to submit them."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from mlp.jobs import events, schemas
from mlp.jobs.idempotency import parse_key
from mlp.jobs.preferences import WAIT_SECONDS_MAX
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.waiting import ended_or_now
from mlp.storage.moments import QueryMoment
from mlp.storage.paging import LIMIT_DEFAULT

router = APIRouter(tags=["jobs"])

_SHOWS_WITH_WEBHOOK: dict[int | str, dict[str, Any]] = {200: {"model": schemas.JobWithWebhook}}
_SHOWS_JOB: dict[int | str, dict[str, Any]] = {200: {"model": schemas.Job}}
_SHOWS_NEW_JOB: dict[int | str, dict[str, Any]] = {202: {"model": schemas.Job}}
_SHOWS_JOBS: dict[int | str, dict[str, Any]] = {200: {"model": schemas.JobList}}


def job_service(request: Request) -> JobService:
    """The job service of the stack that this application serves."""
    return cast(JobService, request.app.state.stack.jobs)


Jobs = Annotated[JobService, Depends(job_service)]


@router.get("/v1/jobs", responses=_SHOWS_JOBS, summary="List jobs")
def list_jobs(
    jobs: Jobs,
    model: str | None = None,
    state: JobState | None = None,
    kind: str | None = None,
    since: QueryMoment | None = None,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Response:
    """A page of jobs without their results."""
    return schemas.list_answer(
        jobs.list_jobs(model=model, state=state, kind=kind, since=since, limit=limit, cursor=cursor)
    )


@router.get("/v1/jobs/{job_id}", responses=_SHOWS_WITH_WEBHOOK, summary="Show a job, or wait for its end")
async def show_job(
    job_id: str,
    jobs: Jobs,
    wait: Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX, description="seconds to wait for the job's end")] = 0,
) -> Response:
    """The job when it has ended, or as it is after ``wait`` seconds; waiting holds no thread."""
    job = await ended_or_now(jobs, job_id, wait)
    webhook = await run_in_threadpool(jobs.find_webhook, job_id) if jobs.has_webhooks else None
    return schemas.job_answer(job, webhook=webhook)


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {events.MEDIA_TYPE: {"schema": {"type": "string"}}}},
    204: {"description": "The last event has been read: there are no more"},
}


@router.get("/v1/jobs/{job_id}/events", responses=_STREAM, response_class=Response, summary="Follow a job to its end")
async def follow_job(job_id: str, jobs: Jobs, last_event_id: Annotated[str | None, Header()] = None) -> Response:
    """Server-sent events ``state`` and ``progress``, each with the job, then ``end`` with its result.

    With the header ``Last-Event-ID`` only what has changed since that event. Following holds no thread.
    """
    job = await run_in_threadpool(jobs.get, job_id)
    if job.is_final and events.event_id(job) == last_event_id:
        # What tells a browser not to come back: WHATWG HTML, section 9.2.3.
        return Response(status_code=204)
    stream = events.events_of(jobs, job_id, last_event_id)
    # nginx, and others who took over its header, would gather the events before they pass them on.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type=events.MEDIA_TYPE, headers=headers)


@router.delete("/v1/jobs/{job_id}", responses=_SHOWS_JOB, summary="Cancel a job")
def cancel_job(job_id: str, jobs: Jobs) -> Response:
    """The job: cancelled, or still running and asked to stop."""
    return schemas.job_answer(jobs.cancel(job_id))


@router.post("/v1/jobs/{job_id}/retry", status_code=202, responses=_SHOWS_NEW_JOB, summary="Do a failed job again")
def retry_job(job_id: str, jobs: Jobs, idempotency_key: Annotated[str | None, Header()] = None) -> Response:
    """A new job with the same payload as one that failed or was cancelled; one for all requests with the same key."""
    return schemas.job_answer(jobs.retry(job_id, parse_key(idempotency_key)), status=202)
