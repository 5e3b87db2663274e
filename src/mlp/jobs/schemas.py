"""A job as HTTP shows it: the shapes for the OpenAPI document, and the answers themselves.

A result is spliced into the answer as the JSON it is stored as: a large one is neither decoded nor checked again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from fastapi import Response
from pydantic import BaseModel, Field

from mlp.clock import to_rfc3339
from mlp.jobs import job as values
from mlp.jobs import webhooks_store
from mlp.jobs.states import JobState
from mlp.jobs.webhooks_store import WebhookState
from mlp.storage.paging import Page


class Progress(BaseModel):
    """How far a job is."""

    done: int
    total: int | None = Field(description="null where the task does not know")
    message: str


class JobError(BaseModel):
    """Why a job failed; while it waits for another attempt, why the last one did."""

    code: str
    detail: str


class Webhook(BaseModel):
    """The call at a job's end."""

    url: str
    state: WebhookState
    attempt: int = Field(description="how often it was called")
    last_status: int | None = Field(description="what the receiver answered last")
    last_error: str | None
    ended_at: datetime | None


class Job(BaseModel):
    """One piece of queued work."""

    id: str
    kind: str = Field(description="what is done, such as registry.accept")
    model: str | None
    state: JobState
    attempt: int = Field(description="how often it was begun")
    created_at: datetime
    started_at: datetime | None = Field(description="when the latest attempt began")
    finished_at: datetime | None
    progress: Progress | None
    result: Any = Field(description="what the job was for, once succeeded; null in lists")
    error: JobError | None


class JobWithWebhook(Job):
    """A job that is shown by itself."""

    webhook: Webhook | None = Field(None, description="left out where the job has none")


class JobList(BaseModel):
    """Some jobs, newest first."""

    jobs: list[Job]
    next: str | None = Field(description="the cursor of the next page")


def job_answer(
    job: values.Job, status: int = 200, applied: str = "", webhook: webhooks_store.Webhook | None = None
) -> Response:
    """The answer that shows one job; with 202 (accepted) its Location says where to look again.

    Args:
        applied: Which preferences of the request were honoured, if any (RFC 7240 section 3).
    """
    headers = {"Location": f"/v1/jobs/{job.id}"} if status == 202 else {}
    if applied:
        headers["Preference-Applied"] = applied
    document = shown(job)
    if webhook is not None:
        ended_at = None if webhook.ended_at is None else to_rfc3339(webhook.ended_at)
        document["webhook"] = {**webhook._asdict(), "ended_at": ended_at}
    return _json(document, status, headers)


def jobs_answer(jobs: Sequence[values.Job]) -> Response:
    """The answer that shows jobs which were accepted together."""
    return _json({"jobs": [shown(job) for job in jobs]}, 202)


def list_answer(page: Page[values.Job]) -> Response:
    """The answer that shows a page of jobs."""
    return _json({"jobs": [shown(job) for job in page], "next": page.next})


def shown(job: values.Job) -> dict[str, Any]:
    """A job as JSON to be: its result is spliced in as it is stored."""
    return {
        "id": job.id,
        "kind": job.kind,
        "model": job.model,
        "state": job.state.value,
        "attempt": job.attempt,
        "created_at": to_rfc3339(job.created_at),
        "started_at": None if job.started_at is None else to_rfc3339(job.started_at),
        "finished_at": None if job.finished_at is None else to_rfc3339(job.finished_at),
        "progress": job.progress,
        "result": None if job.result is None else msgspec.Raw(job.result),
        "error": job.error,
    }


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")
