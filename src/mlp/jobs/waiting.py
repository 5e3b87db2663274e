"""Waiting for the end of a job on the event loop; holds no thread meanwhile."""

import asyncio
from collections.abc import Sequence

from anyio import to_thread
from fastapi.concurrency import run_in_threadpool

from mlp.errors import Conflict, DatabaseUnavailable, MLPError, all_error_classes
from mlp.jobs.job import Job, NewJob
from mlp.jobs.service import JobService


async def accepted(jobs: JobService, new_job: NewJob) -> Job:
    """The job, committed; the one that already has the key, if there is one.

    Raises:
        DatabaseUnavailable: The database has not answered in time. The job may come yet; ``extra["job_id"]`` is its id,
            and a repetition with its Idempotency-Key finds it.
        MLPError: As the future of JobService.offer_job().
    """
    offer = jobs.offer_job(new_job)
    try:
        return await asyncio.wait_for(asyncio.wrap_future(offer), jobs.answer_seconds)
    except TimeoutError:
        raise DatabaseUnavailable(
            f"the database has not answered for {jobs.answer_seconds:g} s: the job may come yet, ask again with the "
            "same Idempotency-Key",
            job_id=new_job.id,
        ) from None


async def accepted_together(jobs: JobService, new_jobs: Sequence[NewJob]) -> list[Job]:
    """The jobs, committed in one transaction: all of them, or none.

    Raises:
        DatabaseUnavailable: The database has not answered in time. The jobs may come yet; a repetition with the same
            Idempotency-Key finds them.
        MLPError: As JobService.submit_many().
    """
    # Abandoned, not waited for: the thread is free again when the database answers.
    submitting = to_thread.run_sync(jobs.submit_many, new_jobs, abandon_on_cancel=True)
    try:
        return await asyncio.wait_for(submitting, jobs.answer_seconds)
    except TimeoutError:
        raise DatabaseUnavailable(
            f"the database has not answered for {jobs.answer_seconds:g} s: the jobs may come yet, ask again with the "
            "same Idempotency-Key"
        ) from None


async def ended_or_now(jobs: JobService, job_id: str, wait_seconds: float) -> Job:
    """The job when it has ended, or as it is after that time; sooner where the server stops.

    Raises:
        UnknownJob: There is none of that id.
    """
    with jobs.watching(job_id) as end:
        job = await run_in_threadpool(jobs.get, job_id)
        if job.is_final or wait_seconds == 0:
            return job
        try:
            ended = await asyncio.wait_for(asyncio.wrap_future(end), wait_seconds)
        except TimeoutError:
            ended = None
    return await run_in_threadpool(jobs.get, job_id) if ended is None else ended


def result_or_error(job: Job) -> bytes:
    """The result of a job that has ended, JSON.

    Raises:
        MLPError: Why it failed, in the class of its code; Conflict if it was cancelled. ``job_id`` is its id.
    """
    if job.error is not None:
        error_class = all_error_classes().get(job.error.code, MLPError)
        raise error_class(job.error.detail, job_id=job.id)
    if job.result is None:
        raise Conflict(f"job {job.id} was {job.state}, so it has no result", job_id=job.id)
    return job.result
