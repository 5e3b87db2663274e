"""The client's view of queued work: submit it, look, wait, cancel, do it again."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from mlp.client.event_stream import Event
from mlp.client.exchange import Exchange, Moment, error_of_code, key_header, moment_text, path_of, to_json
from mlp.client.long_poll import until_finished
from mlp.client.results import Answer, Job, JobState
from mlp.client.rows import Rows, json_rows
from mlp.clock import monotonic
from mlp.errors import Conflict, MLPError, Unavailable

T = TypeVar("T")

_PAUSE_SECONDS = 0.1
# The server says something each 15 s; what is silent for longer is gone.
_SILENCE_SECONDS_MAX = 45.0


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One of the predictions that are queued together; the attributes are the arguments of ``submit``."""

    rows: Rows
    keys: Sequence[str | None] | None = None
    at: Moment | None = None
    priority: str | None = None
    webhook: str | None = None
    expires_seconds: float | None = None


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
        webhook: str | None = None,
        expires_seconds: float | None = None,
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
            webhook: Called by the server, with the job, when the job has ended.
            expires_seconds: Fails the job if it has not begun by then; it may wait for ever unless given.

        Raises:
            mlp.errors.BadInput: The server calls no webhooks, or not this one.
            mlp.errors.UnknownModel: There is no such model.
            mlp.errors.SignatureMismatch: A row does not fit; names row and input.
            mlp.errors.TooManyRequests: Too many jobs wait already.
        """
        request = JobRequest(rows, keys, at, priority, webhook, expires_seconds)
        path = path_of("v1", "models", model, "jobs")
        return self._exchange.call(Job, "POST", path, json=_body_of(request), headers=key_header(idempotency_key))

    def submit_many(
        self, model: str, requests: "Iterable[JobRequest]", *, idempotency_key: str | None = None
    ) -> "list[Job]":
        """The queued predictions, in the order of the requests: the server has written down all of them, or none.

        Args:
            requests: Up to 10,000, unless the server says otherwise.
            idempotency_key: As for ``submit``; sent twice with it, the same jobs are answered.

        Raises:
            mlp.errors.BadInput: One of them is at fault, and none was accepted; ``extra["job"]`` is its index.
            mlp.errors.TooManyRequests: Too many jobs wait already.
        """
        body = {"jobs": [_body_of(request) for request in requests]}
        path = path_of("v1", "models", model, "jobs", "bulk")
        return self._exchange.call(_JobPage, "POST", path, json=body, headers=key_header(idempotency_key)).jobs

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
        return until_finished(lambda seconds: self.show(job_id, seconds), f"job {job_id}", timeout_seconds)

    def events(self, job_id: str, patience_seconds: float = 60.0) -> Iterator[Job]:
        """The job as it is, whenever its state or its progress has changed, and last as it ended, with its result.

        A server that stops or a connection that breaks is asked again, and what was seen is not told again.

        Args:
            patience_seconds: How long no server may answer before that is an error.

        Raises:
            mlp.errors.UnknownJob: There is no such job.
            mlp.errors.Unavailable: No server has answered for ``patience_seconds``.
        """
        return _course(self, self._exchange, job_id, patience_seconds)

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

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """A new job that does the same work once more; the old one stays as it ended.

        Args:
            idempotency_key: At most one job is made of all retries with this key.

        Raises:
            mlp.errors.Conflict: It neither failed nor was cancelled.
        """
        path = path_of("v1", "jobs", job_id, "retry")
        return self._exchange.call(Job, "POST", path, headers=key_header(idempotency_key))


def _body_of(request: "JobRequest") -> dict[str, Any]:
    given = {
        "keys": None if request.keys is None else list(request.keys),
        "at": None if request.at is None else moment_text(request.at),
        "priority": request.priority,
        "webhook": request.webhook,
        "expires_seconds": request.expires_seconds,
    }
    return {"rows": json_rows(request.rows), **{name: value for name, value in given.items() if value is not None}}


def _course(jobs: JobsClient, exchange: Exchange, job_id: str, patience_seconds: float) -> Iterator[Job]:
    path = path_of("v1", "jobs", job_id, "events")
    seen: Job | None = None
    last_id = ""
    heard_at: float | None = None
    while True:
        try:
            events = (
                exchange.events(path, last_id, _SILENCE_SECONDS_MAX) if exchange.can_stream else _looks(jobs, job_id)
            )
            for event in events:
                heard_at = monotonic()
                last_id = event.id
                job = msgspec.json.decode(event.data, type=Job)
                if job != seen:
                    seen = job
                    yield job
                if job.is_finished:
                    return
        except Unavailable:
            if heard_at is None or monotonic() - heard_at > patience_seconds:
                raise
        time.sleep(_PAUSE_SECONDS)


def _looks(jobs: JobsClient, job_id: str) -> Iterator[Event]:
    """What a stream would tell, asked for about once a second."""
    while True:
        yield Event("", "state", to_json(jobs.show(job_id, 1)).decode())


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
