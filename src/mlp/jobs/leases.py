"""The worker's side of jobs: attempts are claimed, kept alive, ended or given back, each in one transaction.

Every write of an attempt is fenced by its lease token: whoever has lost the lease changes nothing. Runs no task.
"""

import logging
import os
import random
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mlp import crash_points
from mlp.clock import new_id
from mlp.errors import DatabaseUnavailable, Unavailable
from mlp.jobs import claim_store, finish_store, metrics, store
from mlp.jobs.claim_store import Allowance, Lease, Wanted
from mlp.jobs.job import Claim, Ending, Job, JobError, Progress
from mlp.jobs.large_results import LargeResults
from mlp.jobs.notices import Notices
from mlp.jobs.owner_lock import OwnerLock
from mlp.jobs.retry import backoff_seconds
from mlp.jobs.states import JobState
from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: Longest wait for the lock at the start; after that its thread goes on trying, and nothing is claimed.
_LOCK_SECONDS = 5.0


class Leases:
    """The leases that this process holds; safe for use by several threads.

    Args:
        lease_seconds: How long an attempt that is not renewed stays this process's.
        large_results: Where results go that are too large for a row; None: into the row.
    """

    def __init__(
        self,
        database: Database,
        notices: Notices,
        *,
        lease_seconds: float,
        large_results: LargeResults | None = None,
    ) -> None:
        self.worker_id = ":".join(_name_parts())
        self.lease_seconds = lease_seconds
        self._database = database
        self._notices = notices
        self._large_results = LargeResults(database, None) if large_results is None else large_results
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Claim] = {}
        self._ending: set[tuple[str, str]] = set()
        self._owner_lock: OwnerLock | None = None

    def start(self) -> None:
        """Show this process alive from now on, where the database can: what it claims is freed by its death at once."""
        if not self._database.is_sqlite:
            # A slash says that this owner holds a lock; recovery_store.py looks for it.
            self.worker_id = "/".join(_name_parts())
            self._owner_lock = OwnerLock(self._database, self.worker_id)
            self._owner_lock.start(_LOCK_SECONDS)

    def close(self) -> None:
        """Show it alive no longer; nothing is claimed any more."""
        if self._owner_lock is not None:
            self._owner_lock.close()

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
        wanted = Wanted(kinds, queues, broker_queues, job_id)
        with self._database.transaction(is_durable=False) as connection:
            claims = claim_store.claim(connection, wanted, self._new_lease(), limit=limit)
        self._note_claimed(claims)
        return claims

    def claim_group(self, wanted: Wanted, allowance: Allowance) -> list[Claim]:
        """The attempt that is next, and those that go with it; see claim_store.claim_group()."""
        with self._database.statement(is_durable=False) as connection:
            claims = claim_store.claim_group(connection, wanted, self._new_lease(), allowance)
        self._note_claimed(claims)
        return claims

    def _new_lease(self) -> Lease:
        if self._owner_lock is not None and not self._owner_lock.is_held:
            raise DatabaseUnavailable("the lock that shows this worker alive is not held yet: it claims nothing")
        return Lease(self.worker_id, new_id(), self.lease_seconds)

    def _note_claimed(self, claims: Sequence[Claim]) -> None:
        with self._lock:
            self._held.update({_lease(claim): claim for claim in claims})
        for claim in claims:
            if claim.attempt == 1:
                metrics.wait_seconds.labels(claim.kind).observe(max(0.0, claim.wait_seconds))
        if claims:
            crash_points.reach("after_claim")

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
            leases = set(self._held) - self._ending
        if not leases:
            return set(), set()
        with self._database.transaction(is_durable=False) as connection:
            renewals = store.renew(connection, sorted(leases), self.lease_seconds)
        kept = {(renewal.job_id, renewal.lease_token) for renewal in renewals}
        crash_points.reach("after_renewal")
        with self._lock:
            # What is just being ended is not lost: its row may have left the state `running` a moment ago.
            lost = leases.intersection(self._held) - kept - self._ending
        return {token for _, token in lost}, {renewal.job_id for renewal in renewals if renewal.is_cancel_requested}

    def show_progress(self, claim: Claim, progress: Progress) -> None:
        """Write an attempt's progress for its owner to read."""
        with self._database.transaction(is_durable=False) as connection:
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
        (job,) = self.finish_many([Ending(claim, state, result, error, progress)])
        return job

    def finish_many(self, endings: Sequence[Ending]) -> list[Job | None]:
        """As finish(), for attempts that end together, in one transaction."""
        claims = [ending.claim for ending in endings]
        kept = [self._large_results.keep(ending) for ending in endings]
        with self._being_ended(claims):
            crash_points.reach("before_result_commit")
            with self._database.statement() as connection:
                ended = finish_store.finish_many(connection, kept)
            crash_points.reach("after_result_commit")
            self._ended_many(claims, ended)
        return ended

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

    def give_up(self, claims: Sequence[Claim], error: JobError) -> None:
        """End attempts that do not stop: their jobs are tried again, or fail; an absent database leaves them leased."""
        for claim in claims:
            try:
                self.try_again(claim, error, backoff_seconds(claim.attempt, random.random()))
            except Unavailable as away:
                _log.warning("a job could not be given up, its lease will end: %s", away.message)

    def drop(self, claim: Claim) -> None:
        """Hold the lease no longer: it ends by itself, or has ended already."""
        with self._lock:
            self._held.pop(_lease(claim), None)

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
        with self._being_ended([claim]):
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
                    (cancelled,) = finish_store.finish_many(connection, [Ending(claim, JobState.CANCELLED)])
            if is_queued:
                self.drop(claim)
                metrics.requeued.labels(reason).inc()
            else:
                self._ended_many([claim], [cancelled])

    @contextmanager
    def _being_ended(self, claims: Sequence[Claim]) -> Iterator[None]:
        leases = [_lease(claim) for claim in claims]
        with self._lock:
            self._ending.update(leases)
        try:
            yield
        finally:
            with self._lock:
                self._ending.difference_update(leases)

    def _ended_many(self, claims: Sequence[Claim], ended: Sequence[Job | None]) -> None:
        for claim, job in zip(claims, ended, strict=True):
            self.drop(claim)
            if job is None:
                metrics.fenced.inc()
                _log.warning("the job had been taken over: this outcome is thrown away", extra={"job_id": claim.id})
        self.tell_finished([job for job in ended if job is not None])

    def tell_finished(self, jobs: Sequence[Job]) -> None:
        """After a COMMIT: count jobs that have reached a final state, and wake whoever waits for them."""
        for job in jobs:
            metrics.finished.labels(job.kind, job.state.value).inc()
        self._notices.finished(jobs)
        crash_points.reach("after_notice")


def _lease(claim: Claim) -> tuple[str, str]:
    return claim.id, claim.lease_token


def _name_parts() -> tuple[str, str, str]:
    return socket.gethostname()[:60], str(os.getpid()), new_id()[-12:]
