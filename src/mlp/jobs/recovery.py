"""Jobs taken from workers that are gone, and jobs whose last moment to begin is over: what sweeps write.

A worker is gone when its lease is over, or when nobody holds the lock of its process any more; see owner_lock.py.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from mlp.clock import monotonic
from mlp.errors import JobExpired
from mlp.jobs import metrics, recovery_store, store
from mlp.jobs.job import Job, JobError
from mlp.jobs.leases import Leases
from mlp.jobs.notices import Notices
from mlp.jobs.retry import TIMED_OUT
from mlp.jobs.states import JobState
from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: Rows that one sweep's transaction locks at most: it stays short after an outage, too.
_RECOVERED_MAX = 500
#: A lock that is free for so long belongs to nobody.
_SUSPECTED_SECONDS = 0.4
_EXPIRED = JobError(
    JobExpired.code, "nobody began the job before its last moment: submit it again if it is still of use"
)


class Recovery:
    """The sweeps over running and waiting jobs of one database; for one thread at a time."""

    def __init__(self, database: Database, leases: Leases, notices: Notices) -> None:
        self._database = database
        self._leases = leases
        self._notices = notices
        self._suspects: dict[str, float] = {}

    def recover(self, started_before: datetime | None = None) -> int:
        """How many jobs were taken from workers that are gone: queued again, or ended if no attempt is left.

        Args:
            started_before: None: those whose lease is over. A moment: all that began before it, whatever their lease;
                for a server that owns its database alone and knows that everything before its start is dead.
        """
        count = 0
        while True:
            with self._database.transaction() as connection:
                held_tokens = [claim.lease_token for claim in self._leases.held()]
                abandoned = store.lock_abandoned(
                    connection, _RECOVERED_MAX, held_tokens=held_tokens, started_before=started_before
                )
                requeued, ended = _recover(connection, abandoned)
            self._tell("lease_lost", requeued, ended)
            count += len(abandoned)
            if len(abandoned) < _RECOVERED_MAX:
                return count

    def recover_orphaned(self) -> int:
        """How many jobs were taken from processes that have died on hosts that live, as recover().

        A process counts as dead when its lock was free at two calls some time apart: one that has lost its session
        takes the lock again within a moment.
        """
        if self._database.is_sqlite:
            return 0
        with self._database.transaction(is_durable=False) as connection:
            found = set(recovery_store.list_lockless(connection))
        moment = monotonic()
        self._suspects = {owner: self._suspects.get(owner, moment) for owner in found}
        gone = [owner for owner, since in self._suspects.items() if moment - since >= _SUSPECTED_SECONDS]
        if not gone:
            return 0
        with self._database.transaction() as connection:
            orphaned = recovery_store.lock_owned(connection, gone, _RECOVERED_MAX)
            requeued, ended = _recover(connection, orphaned)
        if orphaned:
            _log.warning("%d jobs are taken from processes that have died", len(orphaned))
        self._tell("owner_gone", requeued, ended)
        return len(orphaned)

    def expire(self) -> int:
        """How many queued jobs were failed because their last moment to begin is over."""
        with self._database.transaction() as connection:
            expired = recovery_store.expire(connection, _EXPIRED, _RECOVERED_MAX)
        self._leases.tell_finished(expired)
        return len(expired)

    def _tell(self, reason: str, requeued: Sequence[Job], ended: Sequence[Job]) -> None:
        self._leases.tell_finished(ended)
        metrics.requeued.labels(reason).inc(len(requeued))
        self._notices.queued(requeued)


def _recover(connection: sa.Connection, abandoned: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """The jobs that were queued again, and those that were ended."""
    cancelled = [job.id for job in abandoned if job.is_cancel_requested]
    spent = [job for job in abandoned if not job.is_cancel_requested and job.attempt >= job.attempts_max]
    left = [job.id for job in abandoned if not job.is_cancel_requested and job.attempt < job.attempts_max]
    requeued = store.requeue_locked(connection, left) if left else []
    ended = store.end_locked(connection, cancelled, JobState.CANCELLED, None) if cancelled else []
    overdue = recovery_store.list_overdue(connection, [job.id for job in spent]) if spent else set()
    ended += store.end_locked(connection, sorted(overdue), JobState.FAILED, TIMED_OUT) if overdue else []
    silent = [job for job in spent if job.id not in overdue]
    for attempts in sorted({job.attempt for job in silent}):
        ids = [job.id for job in silent if job.attempt == attempts]
        ended += store.end_locked(connection, ids, JobState.FAILED, _attempts_exhausted(attempts))
    return requeued, ended


def _attempts_exhausted(attempts: int) -> JobError:
    return JobError(
        "attempts_exhausted",
        f"attempt {attempts} was the last one, and its worker died or fell silent: look into the server's log, "
        "then retry the job",
    )
