"""The statements of sweeps beside leases: owners without a lock, attempts beyond their time, jobs that have expired."""

from collections.abc import Sequence

import sqlalchemy as sa

from mlp.jobs import statements
from mlp.jobs.job import Job, JobError
from mlp.jobs.rows import JOB_COLUMNS, error_json, job_of
from mlp.jobs.states import JobState
from mlp.jobs.tables import jobs

#: The id of an owner that holds a lock has a slash in it: one of a release that knew no locks is left to its lease.
#: After a restart of the server every session is gone, and every owner is given a moment to come back.
_LOCKLESS = sa.text("""
    WITH owners AS MATERIALIZED (
        SELECT DISTINCT worker_id FROM jobs
        WHERE state = 'running' AND worker_id LIKE '%/%' AND pg_postmaster_start_time() < now() - interval '5 s'
    )
    SELECT worker_id FROM owners WHERE pg_try_advisory_xact_lock(hashtextextended(worker_id, 4789))
""").columns(worker_id=sa.String())


def list_lockless(connection: sa.Connection) -> list[str]:
    """The owners of running jobs whose lock nobody holds; for PostgreSQL. Their locks are held until the COMMIT."""
    return list(connection.execute(_LOCKLESS).scalars())


def lock_owned(connection: sa.Connection, owners: Sequence[str], limit: int) -> list[Job]:
    """Running jobs of these owners, locked for this transaction; rows that another sweep holds are left to it."""
    query = sa.select(*JOB_COLUMNS).where(statements.RUNNING, jobs.c.worker_id.in_(owners)).limit(limit)
    return [job_of(row) for row in connection.execute(query.with_for_update(skip_locked=True))]


def list_overdue(connection: sa.Connection, job_ids: Sequence[str]) -> set[str]:
    """Which of these jobs' latest attempts took longer than they may."""
    is_overdue = jobs.c.deadline_at < statements.moment_in(connection)
    query = sa.select(jobs.c.id).where(jobs.c.id.in_(job_ids), is_overdue)
    return set(connection.execute(query).scalars())


def expire(connection: sa.Connection, error: JobError, limit: int) -> list[Job]:
    """Queued jobs whose last moment to begin is over, failed for that reason."""
    is_late = jobs.c.expires_at <= statements.moment_in(connection)
    late = sa.select(jobs.c.id).where(statements.QUEUED, is_late).order_by(jobs.c.expires_at)
    mine = late.limit(limit).with_for_update(skip_locked=True).cte("late")
    statement = (
        sa.update(jobs)
        .where(jobs.c.id.in_(sa.select(mine.c.id)), statements.QUEUED)
        .values(state=JobState.FAILED.value, finished_at=statements.moment_in(connection), error=error_json(error))
        .returning(*JOB_COLUMNS)
    )
    return [job_of(row) for row in connection.execute(statement)]
