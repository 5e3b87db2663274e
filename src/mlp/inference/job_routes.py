"""The doors of queued predictions: submit one job or many, and a prediction that its caller prefers not to wait for.

They are plain Starlette routes, as ``predict`` is, and described by hand.
"""

from typing import cast

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from mlp.errors import BadInput
from mlp.inference.service import InferenceService
from mlp.inference.submissions import Submission, new_job, new_jobs
from mlp.jobs.idempotency import parse_key
from mlp.jobs.job import Job
from mlp.jobs.preferences import Preferences, parse_preferences
from mlp.jobs.routes import job_service
from mlp.jobs.schemas import job_answer, jobs_answer
from mlp.jobs.waiting import accepted, accepted_together, ended_or_now, result_or_error
from mlp.observability.routes import CountedRoute


def _inference(request: Request) -> InferenceService:
    return cast("InferenceService", request.app.state.stack.inference)


async def predict_later(request: Request, preferences: Preferences) -> Response:
    """A prediction as a job (RFC 7240 section 4.1): 202 with the job, or its answer where it takes no longer than wait.

    Section 4.3 has a server answer as if it had not been asked for 202 where it can within ``wait`` seconds: 200 with
    what ``predict`` answers, or the error that it would have answered. Whatever is answered, the work was a job: it is
    written down, and goes on if the caller leaves.
    """
    job = await _accept(request, preferences)
    wait_seconds = preferences.wait_seconds
    if wait_seconds is None or not job.is_final:
        return job_answer(job, 202, preferences.applied)
    headers = {"preference-applied": f"wait={wait_seconds}"}
    return Response(result_or_error(job), media_type="application/json", headers=headers)


async def submit_job(request: Request) -> Response:
    """Accept the rows as a job: 202 once the row is committed, 200 where it has ended within ``Prefer: wait=5``.

    The answer is the job in either case, since that is what was asked for.
    """
    preferences = parse_preferences(request.headers.get("prefer"))
    job = await _accept(request, preferences)
    is_awaited = job.is_final and preferences.wait_seconds is not None
    return job_answer(job, 200 if is_awaited else 202, preferences.applied)


async def _accept(request: Request, preferences: Preferences) -> Job:
    """The job, committed, after the wait that the caller prefers."""
    body = await request.body()
    submission = _submission(request)
    version = await _inference(request).version(request.path_params["model"], submission.reference)
    jobs = job_service(request)
    job = await accepted(jobs, new_job(submission, version, body))
    if job.is_final or not preferences.wait_seconds:
        return job
    return await ended_or_now(jobs, job.id, preferences.wait_seconds)


def _submission(request: Request) -> Submission:
    origin = (request.method, request.url.path)
    reference, key = request.path_params.get("version"), parse_key(request.headers.get("idempotency-key"))
    if not request.scope["query_string"]:
        return Submission(reference, key, origin)
    query = request.query_params
    return Submission(
        reference, key, (*origin, str(query)), query.get("webhook"), _seconds(query.get("expires_seconds"))
    )


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"expires_seconds={text[:60]!r} is no number of seconds") from None


async def submit_jobs(request: Request) -> Response:
    """The jobs in the order of the body, all accepted in one transaction; or none, and what is wrong with the first."""
    body = await request.body()
    submission = _submission(request)
    version = await _inference(request).version(request.path_params["model"], submission.reference)
    jobs_max: int = request.app.state.stack.settings.jobs_bulk_max
    offered = await run_in_threadpool(new_jobs, submission, version, body, jobs_max)
    return jobs_answer(await accepted_together(job_service(request), offered))


#: Ahead of every other route, with those of predictions.
HOT_ROUTES = [
    CountedRoute("/v1/models/{model}/jobs", submit_job, methods=["POST"]),
    CountedRoute("/v1/models/{model}/versions/{version}/jobs", submit_job, methods=["POST"]),
    CountedRoute("/v1/models/{model}/jobs/bulk", submit_jobs, methods=["POST"]),
    CountedRoute("/v1/models/{model}/versions/{version}/jobs/bulk", submit_jobs, methods=["POST"]),
]
