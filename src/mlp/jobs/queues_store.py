"""What the rows of jobs say of each queue of the broker, the pauses of queues, and why jobs failed lately."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from mlp.clock import first_id_of, now
from mlp.jobs.statements import QUEUED, RUNNING, broker_queue_column, in_state, moment_in
from mlp.jobs.states import JobState
from mlp.jobs.tables import jobs, queue_pauses
from mlp.storage.database import UTCDateTime, upsert

#: By then a wake-up has come, or a sweep has sent another.
_LATE_SECONDS = 3.0
_DAY = timedelta(days=1)


def list_queued(connection: sa.Connection) -> Sequence[Any]:
    """For each queue with queued jobs: ``queue``, ``queued``, ``retrying``, and of those that may run now ``oldest_at``
    and, where a wake-up is missing, ``unpublished`` and ``unpublished_at``; ``read_at`` by the same clock. Reads every
    queued job.
    """
    may_run = jobs.c.available_at <= moment_in(connection)
    # A job that has just come is not late: most have begun before any sweep would look for them.
    is_unpublished = sa.and_(
        jobs.c.available_at <= moment_in(connection, -_LATE_SECONDS), jobs.c.published_at.is_(None)
    )
    return connection.execute(
        sa.select(
            broker_queue_column().label("queue"),
            sa.func.count().label("queued"),
            sa.func.count().filter(jobs.c.attempt > 0).label("retrying"),
            sa.func.min(jobs.c.available_at).filter(may_run).label("oldest_at"),
            sa.func.count().filter(is_unpublished).label("unpublished"),
            sa.func.min(jobs.c.available_at).filter(is_unpublished).label("unpublished_at"),
            sa.type_coerce(moment_in(connection), UTCDateTime()).label("read_at"),
        )
        .where(QUEUED)
        .group_by(broker_queue_column())
    ).all()


def count_failed(connection: sa.Connection, last_seconds: float) -> int:
    """How many jobs failed within that time, of those accepted within a day before."""
    first_id = first_id_of(now() - timedelta(seconds=last_seconds) - _DAY)
    is_late = jobs.c.finished_at > moment_in(connection, -last_seconds)
    query = (
        sa.select(sa.func.count()).select_from(jobs).where(in_state(JobState.FAILED), jobs.c.id >= first_id, is_late)
    )
    return connection.execute(query).scalar_one()


def count_running(connection: sa.Connection) -> dict[str, int]:
    """How many jobs of each queue run."""
    query = sa.select(broker_queue_column(), sa.func.count()).where(RUNNING).group_by(broker_queue_column())
    return {queue: count for queue, count in connection.execute(query)}


def list_pauses(connection: sa.Connection) -> dict[str, Any]:
    """The rows of paused queues, by name."""
    return {row.queue: row for row in connection.execute(sa.select(queue_pauses))}


def pause(connection: sa.Connection, queue: str, reason: str) -> None:
    """Writes the pause of a queue; of one that is paused already, the new reason."""
    statement = upsert(connection, queue_pauses).values(queue=queue, reason=reason, at=moment_in(connection))
    connection.execute(statement.on_conflict_do_update(index_elements=["queue"], set_={"reason": reason}))


def resume(connection: sa.Connection, queue: str) -> bool:
    """Whether the queue was paused; no longer, and its queued jobs lack their wake-ups."""
    if connection.execute(sa.delete(queue_pauses).where(queue_pauses.c.queue == queue)).rowcount == 0:
        return False
    waiting = sa.update(jobs).where(QUEUED, broker_queue_column() == queue, jobs.c.published_at.is_not(None))
    connection.execute(waiting.values(published_at=None))
    return True


def list_failures(connection: sa.Connection, last_seconds: float, limit: int) -> Sequence[Any]:
    """Of the jobs that failed lately, by kind, model and the error's code: ``count`` and the newest, ``latest_id``."""
    code = sa.type_coerce(jobs.c.error, sa.JSON())["code"].as_string()
    failed = sa.select(jobs.c.id, jobs.c.kind, jobs.c.model, code.label("code"))
    # In a query of its own: the code is made of parameters, by which PostgreSQL cannot tell that GROUP BY repeats it.
    lately = failed.where(
        jobs.c.finished_at > moment_in(connection, -last_seconds), in_state(JobState.FAILED)
    ).subquery()
    count = sa.func.count().label("count")
    grouped = (lately.c.kind, lately.c.model, lately.c.code)
    query = sa.select(*grouped, count, sa.func.max(lately.c.id).label("latest_id")).group_by(*grouped)
    return connection.execute(query.order_by(count.desc(), *grouped).limit(limit)).all()
