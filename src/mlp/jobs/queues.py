"""The broker's queues as an operator sees them: what waits, since when, who takes it; pausing and resuming one.

A paused queue accepts jobs and starts none; the pause stands in the statement that claims jobs. Names are those that
workers take, such as ``mlp.high`` (see ``broker_queues``); ``high`` will do.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlp.config import Settings
from mlp.errors import BadInput, UnknownQueue
from mlp.jobs import queues_store, workers_store
from mlp.jobs.broker_queues import DEFAULT, HIGH, LOW, PREFIX, all_broker_queues
from mlp.jobs.workers import SeenWorker, seen_worker
from mlp.storage.database import Database

#: Reasons that a report of failed jobs names at most.
_FAILURES_MAX = 20


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue.

    Attributes:
        queued: Jobs that wait, those included that wait for their time.
        retrying: Of these, jobs that were begun before.
        oldest_seconds: How long the oldest job has been free to run; None if none is.
        unpublished: Jobs free to run whose wake-up has not been confirmed; 0 where there is no broker.
        unpublished_seconds: How long the oldest of these has been free to run; None if there are none.
        workers: Workers that take new jobs from it.
        is_known: Settings name it; one that they do not has jobs or a pause left.
        reason: Why it is paused; None if it is not.
    """

    name: str
    queued: int
    retrying: int
    running: int
    oldest_seconds: float | None
    unpublished: int
    unpublished_seconds: float | None
    workers: int
    is_known: bool
    is_paused: bool
    reason: str | None
    paused_at: datetime | None


@dataclass(frozen=True, slots=True)
class Failures:
    """Jobs of one kind and model that failed lately with one code of mlp.errors; ``latest_id`` is the newest."""

    kind: str
    model: str | None
    code: str | None
    count: int
    latest_id: str


class Queues:
    """The queues of one database; safe for use by several threads."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def list_queues(self) -> list[QueueState]:
        """Every queue that settings name, the most urgent first, then others that have jobs or a pause left.

        Reads every queued job: a second for a million of them.
        """
        with self._database.reading() as connection:
            return self._read(connection)

    def pause(self, queue: str, reason: str) -> QueueState:
        """The queue, whose jobs wait from now on; those that run are not disturbed. Paused again: the new reason.

        Raises:
            UnknownQueue: There is no such queue.
            BadInput: The reason is no text that a database keeps.
        """
        if "\0" in reason:
            raise BadInput("the reason holds a zero byte: leave it out")
        with self._database.transaction() as connection:
            name = self._checked(connection, queue)
            queues_store.pause(connection, name, reason)
            return self._one(connection, name)

    def resume(self, queue: str) -> QueueState:
        """The queue, whose jobs start again; does nothing to one that is not paused.

        Raises:
            UnknownQueue: There is no such queue.
        """
        with self._database.transaction() as connection:
            name = self._checked(connection, queue)
            queues_store.resume(connection, name)
            return self._one(connection, name)

    def paused(self) -> frozenset[str]:
        """The names of the paused queues."""
        with self._database.reading() as connection:
            return frozenset(queues_store.list_pauses(connection))

    def list_failures(self, last_seconds: float) -> list[Failures]:
        """Why jobs failed within that time, the most frequent reason first."""
        with self._database.reading() as connection:
            rows = queues_store.list_failures(connection, last_seconds, _FAILURES_MAX)
        return [Failures(row.kind, row.model, row.code, row.count, row.latest_id) for row in rows]

    def count_failed(self, last_seconds: float) -> int:
        """How many jobs have failed within that time."""
        with self._database.reading() as connection:
            return queues_store.count_failed(connection, last_seconds)

    def _read(self, connection: sa.Connection) -> list[QueueState]:
        queued = {row.queue: row for row in queues_store.list_queued(connection)}
        running = queues_store.count_running(connection)
        pauses = queues_store.list_pauses(connection)
        taking = [worker for worker in map(seen_worker, workers_store.list_workers(connection)) if worker.is_taking]
        known = all_broker_queues(self._settings)
        left_over = sorted({*queued, *running, *pauses} - set(known))
        return [
            self._state(name, queued.get(name), running.get(name, 0), pauses.get(name), taking, name in known)
            for name in (*known, *left_over)
        ]

    def _state(
        self, name: str, queued: Any, running: int, pause: Any, taking: list[SeenWorker], is_known: bool
    ) -> QueueState:
        has_broker = self._settings.has_broker
        return QueueState(
            name=name,
            queued=0 if queued is None else queued.queued,
            retrying=0 if queued is None else queued.retrying,
            running=running,
            oldest_seconds=None if queued is None else _seconds_since(queued.oldest_at, queued.read_at),
            unpublished=0 if queued is None or not has_broker else queued.unpublished,
            unpublished_seconds=(
                None if queued is None or not has_broker else _seconds_since(queued.unpublished_at, queued.read_at)
            ),
            workers=sum(name in worker.queues for worker in taking) + self._own_workers(name),
            is_known=is_known,
            is_paused=pause is not None,
            reason=None if pause is None else pause.reason,
            paused_at=None if pause is None else pause.at,
        )

    def _own_workers(self, name: str) -> int:
        """In laptop mode the server's own threads count as one worker; they know no named queues."""
        is_served = not self._settings.has_broker and self._settings.job_workers > 0
        return int(is_served and name in (HIGH, DEFAULT, LOW))

    def _one(self, connection: sa.Connection, name: str) -> QueueState:
        return next(state for state in self._read(connection) if state.name == name)

    def _checked(self, connection: sa.Connection, queue: str) -> str:
        name = queue if queue.startswith(PREFIX) else PREFIX + queue
        if name in all_broker_queues(self._settings):
            return name
        known = [state.name for state in self._read(connection)]
        if name not in known:
            raise UnknownQueue(f"unknown queue '{queue[:100]}': there is {', '.join(known)}")
        return name


def _seconds_since(then: datetime | None, read_at: datetime) -> float | None:
    return None if then is None else max(0.0, (read_at - then).total_seconds())
