"""The routes of jobs: list, show (and wait), cancel, retry. Jobs are submitted by the routes of what they are for."""

import asyncio
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from mlp.jobs import schemas
from mlp.jobs.job import Job
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.storage.moments import QueryMoment
from mlp.storage.paging import LIMIT_DEFAULT

router = APIRouter(tags=["jobs"])

#: Proxies commonly cut a request after 60 s.
_WAIT_SECONDS_MAX = 60
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


@router.get("/v1/jobs/{job_id}", responses=_SHOWS_JOB, summary="Show a job, or wait for its end")
async def show_job(
    job_id: str,
    jobs: Jobs,
    wait: Annotated[float, Query(ge=0, le=_WAIT_SECONDS_MAX, description="seconds to wait for the job's end")] = 0,
) -> Response:
    """The job when it has ended, or as it is after ``wait`` seconds; waiting holds no thread."""
    return schemas.job_answer(await _ended(jobs, job_id, wait))


@router.delete("/v1/jobs/{job_id}", responses=_SHOWS_JOB, summary="Cancel a job")
def cancel_job(job_id: str, jobs: Jobs) -> Response:
    """The job: cancelled, or still running and asked to stop."""
    return schemas.job_answer(jobs.cancel(job_id))


@router.post("/v1/jobs/{job_id}/retry", status_code=202, responses=_SHOWS_NEW_JOB, summary="Do a failed job again")
def retry_job(job_id: str, jobs: Jobs) -> Response:
    """A new job with the same payload as one that failed or was cancelled."""
    return schemas.job_answer(jobs.retry(job_id), status=202)


async def _ended(jobs: JobService, job_id: str, wait_seconds: float) -> Job:
    with jobs.watching(job_id) as end:
        job = await run_in_threadpool(jobs.get, job_id)
        if job.is_final or wait_seconds == 0:
            return job
        try:
            ended = await asyncio.wait_for(asyncio.wrap_future(end), wait_seconds)
        except TimeoutError:
            ended = None
    return await run_in_threadpool(jobs.get, job_id) if ended is None else ended
