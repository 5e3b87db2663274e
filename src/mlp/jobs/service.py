"""Jobs as their owners see them: submit, look, wait, cancel, retry; and the sweeps that keep promises unasked."""

import re
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypedDict, Unpack

import sqlalchemy as sa

from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import BadInput, Conflict, JobFinished, Unavailable, UnknownJob
from mlp.jobs import store, webhooks_store
from mlp.jobs.acceptor import Acceptor
from mlp.jobs.admission import Admission
from mlp.jobs.conditions import Conditions
from mlp.jobs.job import Job, NewJob
from mlp.jobs.large_results import LargeResults
from mlp.jobs.leases import Leases
from mlp.jobs.notices import Notices
from mlp.jobs.recovery import Recovery
from mlp.jobs.states import JobState
from mlp.jobs.sweeper import Sweeper
from mlp.jobs.waiters import Waiters
from mlp.jobs.watchers import Listener, Watchers
from mlp.jobs.webhooks_store import Webhook
from mlp.storage.database import Database
from mlp.storage.paging import LIMIT_DEFAULT, Page, check_limit, decode_cursor, page_of
from mlp.storage.result_files import ResultFiles

_SECONDS_PER_DAY = 86_400.0
_ID = re.compile(r"[0-9a-f-]{36}")


class JobOptions(TypedDict, total=False):
    """How a job may be submitted; see the attributes of NewJob."""

    queue: str
    priority: int
    idempotency_key: str | None
    fingerprint: str | None
    reply_to: str | None
    attempts_max: int | None
    expires_seconds: float | None
    webhook_url: str | None


class JobService:
    """The jobs of one database; safe for use by several threads. start() begins the sweeps, close() ends everything.

    Attributes:
        notices: Word of what was committed; workers and what links processes listen there.
        leases: The worker's side.
        large_results: Results that are kept as files.
        recovery: Takes jobs from workers that are gone.
    """

    def __init__(self, database: Database, settings: Settings, result_files: ResultFiles | None = None) -> None:
        self.notices = Notices()
        self.large_results = LargeResults(database, result_files)
        self.leases = Leases(
            database,
            self.notices,
            lease_seconds=settings.job_lease_seconds,
            large_results=self.large_results,
        )
        self._database = database
        self._settings = settings
        self._conditions = Conditions(settings)
        self._waiters = Waiters()
        self._watchers = Watchers(database)
        self._acceptor = Acceptor(
            database,
            self.notices,
            Admission(settings.jobs_queued_max),
            attempts_max=settings.job_attempts_max,
            read_result=self.large_results.read,
        )
        self.recovery = Recovery(database, self.leases, self.notices)
        self._sweeper = Sweeper(
            database,
            self.recovery,
            self._waiters,
            retention_seconds=settings.job_retention_days * _SECONDS_PER_DAY,
            is_alone=settings.processes == 1,
        )
        self.notices.on_finished(self._wake_waiters)

    def start(self) -> None:
        """Begin the sweeps: ended leases, waiters whose notice was lost, old jobs."""
        self._sweeper.start()
        self._watchers.start()

    def wake(self, job_id: str) -> None:
        """Wake whoever waits for this job here: another process has said that it has ended."""
        self._waiters.wake(job_id)

    def _wake_waiters(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._waiters.wake(job.id, job)

    def stop_waiting(self) -> None:
        """Answer every waiter, and from now on everybody, at once; for a server that is about to stop."""
        self._waiters.close()

    def close(self) -> None:
        """Accept what has been offered, answer the waiters, end the threads; a second close does nothing."""
        self._acceptor.close()
        self._sweeper.close()
        self._watchers.close()
        self.leases.close()
        self.stop_waiting()

    def offer(self, kind: str, model: str | None, payload: bytes, **options: Unpack[JobOptions]) -> "Future[Job]":
        """A future of the job, done after its COMMIT; an async caller awaits ``asyncio.wrap_future`` of it.

        Errors as Acceptor.offer(), arguments as the attributes of NewJob.

        Raises:
            BadInput: What is asked for besides the work cannot be done; see Conditions.
        """
        return self.offer_job(NewJob(kind, model, payload, **options))

    def offer_job(self, new_job: NewJob) -> "Future[Job]":
        """As offer()."""
        self._conditions.check(new_job)
        return self._acceptor.offer(new_job)

    def submit(self, kind: str, model: str | None, payload: bytes, **options: Unpack[JobOptions]) -> Job:
        """The job, committed; the one that already has the key, if there is one. Arguments as offer().

        Raises:
            BadInput: What is asked for besides the work cannot be done; see Conditions.
            IdempotencyKeyReused: The key belongs to another request.
            TooManyRequests: Too many jobs are queued.
            DatabaseUnavailable: The job may or may not have been written; ``extra["job_id"]`` is its id.
        """
        return self._committed(NewJob(kind, model, payload, **options))

    def submit_many(self, new_jobs: Sequence[NewJob]) -> list[Job]:
        """The jobs, committed together in the order given: all of them, or none.

        Raises:
            As submit().
        """
        for new_job in new_jobs:
            self._conditions.check(new_job)
        return self._acceptor.accept_all(new_jobs)

    def get(self, job_id: str) -> Job:
        """The job with its result.

        Raises:
            UnknownJob: There is none of that id, or it was deleted when its time was over.
        """
        with self._database.reading() as connection:
            return self._existing(connection, job_id)

    @property
    def answer_seconds(self) -> float:
        """How long a caller who must not be kept waits for the database's word."""
        return self._settings.database_timeout_seconds

    @property
    def has_webhooks(self) -> bool:
        """Whether jobs may have a webhook here."""
        return self._conditions.has_webhooks

    def find_webhook(self, job_id: str) -> Webhook | None:
        """The job's webhook and what came of it; None where it has none."""
        with self._database.reading() as connection:
            return webhooks_store.find_webhook(connection, job_id)

    def list_jobs(
        self,
        *,
        model: str | None = None,
        state: JobState | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
    ) -> Page[Job]:
        """Jobs without their results, newest first.

        Raises:
            BadInput: The cursor is of another list, or the limit out of bounds.
        """
        check_limit(limit)
        after = decode_cursor(cursor, str)
        before_id = None if after is None else str(after[0])
        if "\0" in f"{model}{kind}":
            raise BadInput("neither a model nor a kind of job has a zero byte in its name")
        with self._database.reading() as connection:
            found = store.list_jobs(connection, store.Filter(model, state, kind, since), limit + 1, before_id)
        return page_of(found, limit, lambda job: (job.id,))

    def watching(self, job_id: str) -> AbstractContextManager["Future[Job | None]"]:
        """A future that is done soon after the job has ended, with the job or None (read it); see Waiters."""
        return self._waiters.watching(job_id)

    def following(self, job_id: str, listener: Listener) -> AbstractContextManager[None]:
        """Within it the listener is told of the job's states and progress, about a second late; see Watchers."""
        return self._watchers.following(job_id, listener)

    def wait(self, job_id: str, timeout_seconds: float) -> Job:
        """The job when it has ended, or as it is after that time; blocks the calling thread.

        Raises:
            UnknownJob: There is none of that id.
        """
        deadline = monotonic() + timeout_seconds
        with self.watching(job_id) as end:
            job = self.get(job_id)
            if job.is_final:
                return job
            try:
                ended = end.result(max(0.0, deadline - monotonic()))
            except TimeoutError:
                ended = None
        return self.get(job_id) if ended is None else ended

    def cancel(self, job_id: str) -> Job:
        """The job: cancelled if it was queued or cancelled before; asked to stop, and still running, if it runs.

        Raises:
            UnknownJob: There is none of that id.
            JobFinished: It has succeeded or failed.
        """
        while True:
            with self._database.transaction() as connection:
                stopped = store.cancel(connection, job_id) if _ID.fullmatch(job_id) else None
                job = self._existing(connection, job_id) if stopped is None else stopped
            if stopped is not None:
                self._tell_stopped(stopped)
                return stopped
            if job.state is JobState.CANCELLED:
                return job
            if job.is_final:
                raise JobFinished(f"the job has {job.state} already and cannot be cancelled")
            # It began or was put back between two statements: once more.

    def retry(self, job_id: str, idempotency_key: str | None = None) -> Job:
        """A new job with payload and webhook of one that failed or was cancelled; the old one stays as it is.

        Args:
            idempotency_key: Of all retries with it there is one job.

        Raises:
            UnknownJob: There is none of that id.
            IdempotencyKeyReused: The key belongs to another request.
            Conflict: It is under way, or has succeeded.
        """
        with self._database.reading() as connection:
            job = self._existing(connection, job_id)
            payload = store.get_payload(connection, job_id)
            webhook = webhooks_store.find_webhook(connection, job_id) if self.has_webhooks else None
        if job.state not in (JobState.FAILED, JobState.CANCELLED):
            raise Conflict(f"the job is {job.state}: only a failed or a cancelled one can be retried")
        return self._committed(
            NewJob(
                kind=job.kind,
                model=job.model,
                payload=payload,
                queue=job.queue,
                priority=job.priority,
                attempts_max=job.attempts_max,
                idempotency_key=idempotency_key,
                webhook_url=None if webhook is None else webhook.url,
                tenant=job.tenant,
            )
        )

    def spare(self, is_needed: store.IsNeeded) -> None:
        """Let no purge delete a job for which this holds; to be said before start()."""
        self._sweeper.spared.append(is_needed)

    def purge(self) -> int:
        """How many jobs were deleted whose retention is over; the sweep does it unasked."""
        return self._sweeper.purge()

    def _committed(self, new_job: NewJob) -> Job:
        answer = self.offer_job(new_job)
        # The database answers or gives up within its own time-out; twice that means that the thread is stuck.
        try:
            return answer.result(2 * self._settings.database_timeout_seconds + 5)
        except TimeoutError as error:
            answer.cancel()
            raise Unavailable("the database took too long: the job may come yet", job_id=new_job.id) from error

    def _tell_stopped(self, job: Job) -> None:
        if job.is_final:
            self.leases.tell_finished([job])
        else:
            self.notices.cancelling(job)

    def _existing(self, connection: sa.Connection, job_id: str) -> Job:
        job = store.find_job(connection, job_id) if _ID.fullmatch(job_id) else None
        if job is None:
            kept_days = self._settings.job_retention_days
            raise UnknownJob(f"unknown job '{job_id[:100]}': finished jobs are kept for {kept_days} days")
        return self.large_results.read(job)
