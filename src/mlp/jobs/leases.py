"""The worker's side of jobs: attempts are claimed, kept alive, ended or given back, each in one transaction.

Every write of an attempt is fenced by its lease token: whoever has lost the lease changes nothing. Runs no task.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from mlp.clock import new_id
from mlp.jobs import metrics, store
from mlp.jobs.job import Claim, Job, JobError, Progress
from mlp.jobs.notices import Notices
from mlp.jobs.states import JobState
from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: Rows that one sweep's transaction locks at most: it stays short after an outage, too.
_RECOVERED_MAX = 500


class Leases:
    """The leases that this process holds; safe for use by several threads.

    Args:
        lease_seconds: How long an attempt that is not renewed stays this process's.
    """

    def __init__(self, database: Database, notices: Notices, *, lease_seconds: float) -> None:
        self.worker_id = f"{socket.gethostname()[:60]}:{os.getpid()}:{new_id()[-12:]}"
        self.lease_seconds = lease_seconds
        self._database = database
        self._notices = notices
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Claim] = {}
        self._ending: set[tuple[str, str]] = set()

    def claim(
        self,
        kinds: Sequence[str],
        *,
        limit: int = 1,
        queues: Sequence[str] | None = None,
        broker_queues: Sequence[str] | None = None,
        job_id: str | None = None,
    ) -> list[Claim]:
        """Attempts that are now this process's, at most ``limit``; see store.claim()."""
        with self._database.transaction() as connection:
            claims = store.claim(
                connection,
                self.worker_id,
                new_id(),
                self.lease_seconds,
                limit=limit,
                kinds=kinds,
                queues=queues,
                broker_queues=broker_queues,
                job_id=job_id,
            )
        with self._lock:
            self._held.update({_lease(claim): claim for claim in claims})
        for claim in claims:
            if claim.attempt == 1:
                metrics.wait_seconds.labels(claim.kind).observe(max(0.0, claim.wait_seconds))
        return claims

    def held(self) -> list[Claim]:
        """The attempts under way in this process."""
        with self._lock:
            return list(self._held.values())

    def renew(self) -> tuple[set[str], set[str]]:
        """Make every held lease full again.

        Returns:
            Tokens of leases that are lost, and ids of jobs whose owners want them to stop.
        """
        with self._lock:
            leases = set(self._held)
        if not leases:
            return set(), set()
        with self._database.transaction() as connection:
            renewals = store.renew(connection, sorted(leases), self.lease_seconds)
        kept = {(renewal.job_id, renewal.lease_token) for renewal in renewals}
        with self._lock:
            # What is just being ended is not lost: its row may have left the state `running` a moment ago.
            lost = leases.intersection(self._held) - kept - self._ending
        return {token for _, token in lost}, {renewal.job_id for renewal in renewals if renewal.is_cancel_requested}

    def show_progress(self, claim: Claim, progress: Progress) -> None:
        """Write an attempt's progress for its owner to read."""
        with self._database.transaction() as connection:
            store.set_progress(connection, claim.id, claim.lease_token, progress)

    def finish(
        self,
        claim: Claim,
        state: JobState,
        *,
        result: bytes | None = None,
        error: JobError | None = None,
        progress: Progress | None = None,
    ) -> Job | None:
        """The job in its final state; None if the lease was lost and nothing was written.

        May be called again when the database's answer was lost: the same attempt finishes once.
        """
        with self._being_ended(claim):
            with self._database.transaction() as connection:
                job = store.finish(
                    connection, claim.id, claim.lease_token, state, result=result, error=error, progress=progress
                ) or store.find_finished_under(connection, claim.id, claim.lease_token)
            self._ended(claim, job)
        return job

    def try_again(self, claim: Claim, error: JobError, delay_seconds: float) -> None:
        """Queue the job for another attempt after the delay; end it where it should stop or no attempt is left."""
        if claim.attempt < claim.attempts_max:
            self._put_back(claim, "retry", error=error, delay_seconds=delay_seconds)
        else:
            self.finish(claim, JobState.FAILED, error=error)

    def postpone(self, claim: Claim, error: JobError, delay_seconds: float) -> None:
        """Queue the job again after the delay without counting this attempt: what it needs was away."""
        self._put_back(claim, "postponed", error=error, delay_seconds=delay_seconds, counts_attempt=False)

    def give_back(self, claim: Claim) -> None:
        """Queue the job again at once without counting this attempt, which a stopping worker cuts short."""
        self._put_back(claim, "released", counts_attempt=False)

    def drop(self, claim: Claim) -> None:
        """Hold the lease no longer: it ends by itself, or has ended already."""
        with self._lock:
            self._held.pop(_lease(claim), None)

    def recover(self, started_before: datetime | None = None) -> int:
        """How many jobs were taken from workers that are gone: queued again, or ended if no attempt is left.

        Args:
            started_before: None: those whose lease is over. A moment: all that began before it, whatever their lease;
                for a server that owns its database alone and knows that everything before its start is dead.
        """
        count = 0
        while True:
            with self._database.transaction() as connection:
                held_tokens = [claim.lease_token for claim in self.held()]
                abandoned = store.lock_abandoned(
                    connection, _RECOVERED_MAX, held_tokens=held_tokens, started_before=started_before
                )
                requeued, ended = _recover(connection, abandoned)
            for job in ended:
                self.tell_finished(job)
            metrics.requeued.labels("lease_lost").inc(len(requeued))
            self._notices.queued(requeued)
            count += len(abandoned)
            if len(abandoned) < _RECOVERED_MAX:
                return count

    def _put_back(
        self,
        claim: Claim,
        reason: str,
        *,
        error: JobError | None = None,
        delay_seconds: float = 0.0,
        counts_attempt: bool = True,
    ) -> None:
        cancelled = None
        with self._being_ended(claim):
            with self._database.transaction() as connection:
                is_queued = store.put_back(
                    connection,
                    claim.id,
                    claim.lease_token,
                    delay_seconds=delay_seconds,
                    error=error,
                    counts_attempt=counts_attempt,
                )
                if not is_queued:
                    cancelled = store.finish(connection, claim.id, claim.lease_token, JobState.CANCELLED)
            if is_queued:
                self.drop(claim)
                metrics.requeued.labels(reason).inc()
            else:
                self._ended(claim, cancelled)

    @contextmanager
    def _being_ended(self, claim: Claim) -> Iterator[None]:
        with self._lock:
            self._ending.add(_lease(claim))
        try:
            yield
        finally:
            with self._lock:
                self._ending.discard(_lease(claim))

    def _ended(self, claim: Claim, job: Job | None) -> None:
        self.drop(claim)
        if job is None:
            metrics.fenced.inc()
            _log.warning("the job had been taken over: this outcome is thrown away", extra={"job_id": claim.id})
        else:
            self.tell_finished(job)

    def tell_finished(self, job: Job) -> None:
        """After a COMMIT: count a job that has reached a final state, and wake whoever waits for it."""
        metrics.finished.labels(job.kind, job.state.value).inc()
        self._notices.finished(job)


def _lease(claim: Claim) -> tuple[str, str]:
    return claim.id, claim.lease_token


def _recover(connection: sa.Connection, abandoned: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """The jobs that were queued again, and those that were ended."""
    cancelled = [job.id for job in abandoned if job.is_cancel_requested]
    spent = [job for job in abandoned if not job.is_cancel_requested and job.attempt >= job.attempts_max]
    left = [job.id for job in abandoned if not job.is_cancel_requested and job.attempt < job.attempts_max]
    requeued = store.requeue_locked(connection, left) if left else []
    ended = store.end_locked(connection, cancelled, JobState.CANCELLED, None) if cancelled else []
    for attempts in sorted({job.attempt for job in spent}):
        ids = [job.id for job in spent if job.attempt == attempts]
        ended += store.end_locked(connection, ids, JobState.FAILED, _attempts_exhausted(attempts))
    return requeued, ended


def _attempts_exhausted(attempts: int) -> JobError:
    return JobError(
        "attempts_exhausted",
        f"attempt {attempts} was the last one, and its worker died or fell silent: look into the server's log, "
        "then retry the job",
    )
