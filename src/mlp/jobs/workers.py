"""The register of workers: who runs jobs, where, since when, and whom an operator wants to stop taking them.

Workers report themselves; nobody asks them. What they do with a job is the business of ``leases``.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlp.errors import UnknownWorker
from mlp.jobs import workers_store
from mlp.storage.database import Database

#: A worker reports itself every 5 s at most; three missed reports, and it counts as gone.
LIVE_SECONDS = 15.0


class WorkerPhase(StrEnum):
    """What a worker says of itself: it takes jobs, it ends those it has, or it has ended."""

    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker reports.

    Attributes:
        id: Of this run: a worker that starts again has another.
        host: Name of its machine or container.
        release: Of MLP.
        queues: What it takes, by the broker's names, such as ``mlp.high``.
        processes: Jobs that it runs at the same time.
    """

    id: str
    host: str
    pid: int
    release: str
    queues: tuple[str, ...]
    processes: int
    state: WorkerPhase
    started_at: datetime


@dataclass(frozen=True, slots=True)
class SeenWorker(WorkerState):
    """A worker as the register knows it.

    Attributes:
        age_seconds: Since it was heard of, by the database's clock.
        up_seconds: From its start, by its own clock, until the database's now.
        is_draining: An operator wants it to take no more jobs.
    """

    age_seconds: float
    up_seconds: float
    is_draining: bool

    @property
    def is_live(self) -> bool:
        """Whether it was heard of within 15 s, and not to say that it has ended."""
        return self.age_seconds <= LIVE_SECONDS and self.state is not WorkerPhase.STOPPED

    @property
    def is_taking(self) -> bool:
        """Whether it takes new jobs."""
        return self.is_live and self.state is WorkerPhase.RUNNING and not self.is_draining


class WorkerRegister:
    """The workers of one database; safe for use by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, state: WorkerState) -> bool:
        """Whether an operator wants this worker drained; writes down that it lives, and how it is.

        Raises:
            DatabaseUnavailable: Nothing was written: go on, and report again.
        """
        columns = {**asdict(state), "queues": list(state.queues), "state": str(state.state)}
        with self._database.transaction() as connection:
            return workers_store.write_worker(connection, columns)

    def leave(self, worker_id: str) -> None:
        """Write down that a worker has ended as it should; it stays in the list until forget_silent()."""
        with self._database.transaction() as connection:
            workers_store.set_state(connection, worker_id, WorkerPhase.STOPPED)

    def list_workers(self) -> list[SeenWorker]:
        """All workers that are remembered, the newest first; also those that have ended or fallen silent."""
        with self._database.reading() as connection:
            return [seen_worker(row) for row in workers_store.list_workers(connection)]

    def set_draining(self, worker_id: str, is_draining: bool) -> SeenWorker:
        """The worker, which learns of the wish with its next beat().

        Raises:
            UnknownWorker: There is none of that id.
        """
        with self._database.transaction() as connection:
            is_known = "\0" not in worker_id and workers_store.set_draining(connection, worker_id, is_draining)
            if not is_known:
                raise UnknownWorker(f"unknown worker '{worker_id[:100]}': `mlp workers list` shows those there are")
            (row,) = workers_store.list_workers(connection, worker_id)
            return seen_worker(row)

    def forget_silent(self, older_than_seconds: float) -> int:
        """How many workers were forgotten that have not been heard of for so long."""
        with self._database.transaction() as connection:
            return workers_store.delete_silent(connection, older_than_seconds)


def seen_worker(row: Any) -> SeenWorker:
    """The worker of a row of workers_store.list_workers()."""
    return SeenWorker(
        id=row.id,
        host=row.host,
        pid=row.pid,
        release=row.release,
        queues=tuple(row.queues),
        processes=row.processes,
        state=WorkerPhase(row.state),
        started_at=row.started_at,
        age_seconds=max(0.0, (row.read_at - row.seen_at).total_seconds()),
        up_seconds=max(0.0, (row.read_at - row.started_at).total_seconds()),
        is_draining=row.is_draining,
    )
