"""The client's view of queued work: submit it, look, wait, cancel, do it again."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from mlp.client.exchange import Exchange, Moment, error_of_code, moment_text, path_of
from mlp.client.results import Answer, Job, JobState
from mlp.client.rows import Rows, json_rows
from mlp.clock import monotonic
from mlp.errors import Conflict, DeadlineExceeded, MLPError

T = TypeVar("T")

# One long poll; shorter than the minute after which proxies take a silent connection for dead.
_POLL_SECONDS_MAX = 30
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _JobPage:
    jobs: list[Job]
    next: str | None = None


class JobsClient:
    """Jobs of one server; ``client.jobs``."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def submit(
        self,
        model: str,
        rows: Rows,
        *,
        keys: Sequence[str | None] | None = None,
        at: Moment | None = None,
        priority: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """A queued prediction, which the server has written down and will carry out, whatever happens to it.

        Args:
            model: Name of the model.
            rows: As for ``Client.predict``.
            keys: Your own names of the rows, one each.
            at: When what the rows are about happened; now unless given.
            priority: high, default or low.
            idempotency_key: At most one job is made of all requests with this key. Give one wherever you might
                send again because no answer came.

        Raises:
            mlp.errors.UnknownModel: There is no such model.
            mlp.errors.SignatureMismatch: A row does not fit; names row and input.
            mlp.errors.TooManyRequests: Too many jobs wait already.
        """
        body = {
            "rows": json_rows(rows),
            **({} if keys is None else {"keys": list(keys)}),
            **({} if at is None else {"at": moment_text(at)}),
            **({} if priority is None else {"priority": priority}),
        }
        headers = {} if idempotency_key is None else {"Idempotency-Key": f'"{idempotency_key}"'}
        return self._exchange.call(Job, "POST", path_of("v1", "models", model, "jobs"), json=body, headers=headers)

    def list(
        self,
        *,
        model: str | None = None,
        state: JobState | None = None,
        kind: str | None = None,
        since: datetime | str | None = None,
        limit: int | None = 50,
    ) -> "list[Job]":
        """Jobs, newest first.

        Args:
            limit: How many at most; None for all.
        """
        query = {"model": model, "state": state, "kind": kind, "since": since}
        pages = self._exchange.pages(_JobPage, "/v1/jobs", query, limit)
        return [job for page in pages for job in page.jobs]

    def show(self, job_id: str, wait_seconds: float = 0) -> Job:
        """The job as it is, after having waited up to ``wait_seconds`` (0 to 60) for its end.

        Raises:
            mlp.errors.UnknownJob: There is no such job, or not any more.
        """
        whole_seconds = math.ceil(wait_seconds)
        return self._exchange.call(
            Job,
            "GET",
            path_of("v1", "jobs", job_id),
            query={"wait": whole_seconds if whole_seconds else None},
            timeout_seconds=whole_seconds + self._exchange.timeout_seconds,
        )

    def wait(self, job_id: str, timeout_seconds: float = 600.0) -> Job:
        """The finished job: succeeded, failed or cancelled; blocks until then.

        Raises:
            mlp.errors.DeadlineExceeded: It did not finish within ``timeout_seconds``; it goes on, ask again.
            mlp.errors.UnknownJob: There is no such job.
        """
        deadline = monotonic() + timeout_seconds
        while True:
            remaining_seconds = max(0.0, deadline - monotonic())
            asked_at = monotonic()
            asked_seconds = min(_POLL_SECONDS_MAX, remaining_seconds)
            job = self.show(job_id, asked_seconds)
            if job.is_finished:
                return job
            if remaining_seconds == 0:
                raise DeadlineExceeded(
                    f"job {job_id} is {job.state} after {timeout_seconds:g} s; it goes on: wait for it again"
                )
            if monotonic() - asked_at < min(_PAUSE_SECONDS, asked_seconds):
                # The server came back at once, as one that is about to stop does.
                time.sleep(_PAUSE_SECONDS)

    def answer(self, job_id: str, timeout_seconds: float = 600.0) -> Answer:
        """The answer of a queued prediction; blocks until it is there.

        Raises:
            mlp.errors.MLPError: Why the job failed, in the class of its code; Conflict if it was cancelled.
            mlp.errors.DeadlineExceeded: It did not finish within ``timeout_seconds``.
        """
        return result_of(self.wait(job_id, timeout_seconds), Answer)

    def cancel(self, job_id: str) -> Job:
        """The cancelled job, which will not run, or not again.

        Raises:
            mlp.errors.JobFinished: It has ended already.
        """
        return self._exchange.call(Job, "DELETE", path_of("v1", "jobs", job_id))

    def retry(self, job_id: str) -> Job:
        """A new job that does the same work once more; the old one stays as it ended.

        Raises:
            mlp.errors.Conflict: It neither failed nor was cancelled.
        """
        return self._exchange.call(Job, "POST", path_of("v1", "jobs", job_id, "retry"))


def result_of(job: Job, result_type: type[T]) -> T:
    """What a finished job returned.

    Raises:
        mlp.errors.MLPError: Why it failed, in the class of its code; Conflict if it was cancelled.
    """
    if job.error is not None:
        raise error_of_code(job.error.code, job.error.detail, job_id=job.id)
    if job.state != "succeeded":
        raise Conflict(f"job {job.id} was {job.state}, so it has no result", job_id=job.id)
    try:
        return msgspec.convert(job.result, result_type)
    except msgspec.ValidationError as error:
        raise MLPError(f"the result of job {job.id} cannot be read: {error}") from error
