"""The statements around wake-ups: whose is missing, and whose queue has got one."""

from collections.abc import Sequence

import sqlalchemy as sa

from mlp.jobs.statements import QUEUED, broker_queue_column, moment_in
from mlp.jobs.tables import jobs, queue_pauses


def list_unpublished(connection: sa.Connection, grace_seconds: float, limit: int) -> list[tuple[str, str, int]]:
    """Id, queue and priority of jobs that could have begun so many seconds ago, and whose wake-up is missing.

    For PostgreSQL, the only database whose jobs are published.
    """
    query = (
        sa.select(jobs.c.id, jobs.c.queue, jobs.c.priority)
        .where(
            QUEUED,
            jobs.c.published_at.is_(None),
            jobs.c.available_at <= moment_in(connection, -grace_seconds),
            broker_queue_column().not_in(sa.select(queue_pauses.c.queue)),
        )
        .order_by(jobs.c.available_at)
        .limit(limit)
    )
    return [(row.id, row.queue, row.priority) for row in connection.execute(query)]


def mark_published(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """Note that the broker has confirmed a wake-up of these jobs' queues; one that has begun since is left alone."""
    still_waiting = sa.select(jobs.c.id).where(
        jobs.c.id == sa.any_(sa.literal(list(job_ids), sa.ARRAY(sa.String))), QUEUED
    )
    mine = still_waiting.with_for_update(skip_locked=True).cte("mine")
    statement = sa.update(jobs).where(jobs.c.id.in_(sa.select(mine.c.id))).values(published_at=sa.func.now())
    connection.execute(statement)
