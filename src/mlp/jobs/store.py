"""The rows of jobs, read and written: one row a job, its payload and its result apart; SQLite and PostgreSQL alike.

What runs once or more for every job is in statements.py, built once; what runs now and then is built here.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from mlp.clock import first_id_of, now
from mlp.jobs import statements
from mlp.jobs.job import Job, JobError, NewJob, Progress
from mlp.jobs.rows import JOB_COLUMNS, error_json, job_of, job_with_result_of, progress_json, row_of
from mlp.jobs.states import JobState
from mlp.jobs.tables import MOST_COMMON_KIND, job_payloads, jobs

#: How far the clocks of servers may be from the database's.
_CLOCKS_APART = timedelta(hours=1)


#: Whether somebody needs a job longer than its retention, in SQL; given the column of its id.
IsNeeded = Callable[[sa.ColumnElement[str]], sa.ColumnElement[bool]]


class Filter(NamedTuple):
    """Which jobs a list shows; None: any."""

    model: str | None = None
    state: JobState | None = None
    kind: str | None = None
    since: datetime | None = None
    tenant: str = "default"


class KnownJob(NamedTuple):
    """A job that stood there before an offer of the same id or key."""

    job: Job
    idempotency_key: str | None
    fingerprint: str | None


class Renewal(NamedTuple):
    """A lease that was made longer, and whether the job's owner wants it to stop."""

    job_id: str
    lease_token: str
    is_cancel_requested: bool


def insert_jobs(connection: sa.Connection, new_jobs: Sequence[NewJob], attempts_max: int) -> dict[str, datetime]:
    """When each job was accepted, by id; a job whose id or key is known already is not written and not in it."""
    # One order of keys for everybody: two transactions that insert the same keys wait for each other, not in a circle.
    ordered = sorted(new_jobs, key=lambda new: (new.tenant, new.idempotency_key or "", new.id))
    rows = [row_of(new, attempts_max) for new in ordered]
    if not _is_sqlite(connection):
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        columns["payload"] = [new.payload for new in ordered]
        columns["expires_seconds"] = [new.expires_seconds for new in ordered]
        columns["webhook_url"] = [new.webhook_url for new in ordered]
        return {row.id: row.created_at for row in connection.execute(statements.INSERT_ARRAYS, columns)}
    for row, new in zip(rows, ordered, strict=True):
        row["expires_at"] = None if new.expires_seconds is None else now() + timedelta(seconds=new.expires_seconds)
    found = connection.execute(statements.insert_jobs_on_sqlite(), rows)
    accepted = {row.id: row.created_at for row in found}
    fresh = [new for new in ordered if new.id in accepted]
    if fresh:
        connection.execute(statements.INSERT_PAYLOAD, [{"job_id": new.id, "payload": new.payload} for new in fresh])
    webhooks = [
        {"job_id": new.id, "url": new.webhook_url, "state": "open", "attempt": 0, "due_at": accepted[new.id]}
        for new in fresh
        if new.webhook_url is not None
    ]
    if webhooks:
        connection.execute(statements.INSERT_WEBHOOK, webhooks)
    return accepted


def find_known(connection: sa.Connection, new_jobs: Sequence[NewJob]) -> list[KnownJob]:
    """The jobs that stand there with an id or a key of these, and perhaps others."""
    by_id = jobs.c.id.in_([new.id for new in new_jobs])
    keyed = [new for new in new_jobs if new.idempotency_key is not None]
    # Each column by itself: for pairs of columns SQLite would read the whole table. It may find a few rows too many.
    by_key = jobs.c.tenant.in_({new.tenant for new in keyed}) & jobs.c.idempotency_key.in_(
        [new.idempotency_key for new in keyed]
    )
    query = statements.with_result().add_columns(jobs.c.idempotency_key, jobs.c.fingerprint).where(by_id | by_key)
    rows = connection.execute(query)
    return [KnownJob(job_with_result_of(row), row.idempotency_key, row.fingerprint) for row in rows]


def count_queued(connection: sa.Connection, at_most: int) -> int:
    """How many jobs are queued; counting stops at that many."""
    some = sa.select(sa.literal_column("1")).where(statements.QUEUED).limit(at_most).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()


def find_job(connection: sa.Connection, job_id: str) -> Job | None:
    """The job with its result."""
    row = connection.execute(statements.find_job(), {"job_id": job_id}).one_or_none()
    return None if row is None else job_with_result_of(row)


def get_payload(connection: sa.Connection, job_id: str) -> bytes:
    """The input of a job that exists."""
    query = sa.select(job_payloads.c.payload).where(job_payloads.c.job_id == job_id)
    payload: bytes = connection.execute(query).scalar_one()
    return payload


def list_jobs(connection: sa.Connection, wanted: Filter, limit: int, before_id: str | None) -> list[Job]:
    """Jobs without their results, newest first; ``before_id`` is the last one of the page before."""
    query = sa.select(*JOB_COLUMNS).where(jobs.c.tenant == wanted.tenant).order_by(jobs.c.id.desc()).limit(limit)
    if wanted.model is not None:
        query = query.where(jobs.c.model == wanted.model)
    if wanted.state is not None:
        query = query.where(statements.in_state(wanted.state))
    if wanted.kind is not None:
        query = query.where(jobs.c.kind == wanted.kind)
        if wanted.kind != MOST_COMMON_KIND:
            # Said in so many words, the planner may use the index of the others, which is small.
            query = query.where(jobs.c.kind != sa.literal_column(f"'{MOST_COMMON_KIND}'", sa.String()))
    if wanted.since is not None:
        # Ids begin with the time: by this the index ends where the database's time, and an hour of wrong clocks, does.
        first_id = first_id_of(wanted.since - _CLOCKS_APART)
        query = query.where(jobs.c.created_at >= wanted.since, jobs.c.id >= first_id)
    if before_id is not None:
        query = query.where(jobs.c.id < before_id)
    return [job_of(row) for row in connection.execute(query)]


def list_by_ids(connection: sa.Connection, job_ids: Sequence[str]) -> list[Job]:
    """Those of these jobs that there are, without their results."""
    return [job_of(row) for row in connection.execute(sa.select(*JOB_COLUMNS).where(jobs.c.id.in_(job_ids)))]


def list_final_ids(connection: sa.Connection, job_ids: Sequence[str]) -> list[str]:
    """Which of these jobs have reached a final state."""
    query = sa.select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.finished_at.is_not(None))
    return list(connection.execute(query).scalars())


def renew(connection: sa.Connection, leases: Iterable[tuple[str, str]], lease_seconds: float) -> list[Renewal]:
    """The leases (job id, token) that still hold, each made ``lease_seconds`` long from now."""
    ids, tokens = zip(*leases, strict=True)
    is_sqlite = _is_sqlite(connection)
    parameters = {"ids": ids, "tokens": tokens, "lease_end": statements.later(is_sqlite, lease_seconds)}
    return [Renewal(*row) for row in connection.execute(statements.renew(is_sqlite), parameters)]


def set_progress(connection: sa.Connection, job_id: str, lease_token: str, progress: Progress) -> None:
    """Show the attempt's progress, if it still holds its lease."""
    statement = statements.held().values(progress=progress_json(progress))
    connection.execute(statement, {"job_id": job_id, "token": lease_token})


def put_back(
    connection: sa.Connection,
    job_id: str,
    lease_token: str,
    *,
    delay_seconds: float = 0.0,
    error: JobError | None = None,
    counts_attempt: bool = True,
) -> bool:
    """Queue the job again after the delay; False if the lease is lost or the owner has asked to cancel it."""
    values: dict[str, Any] = {
        "state": JobState.QUEUED.value,
        "available_at": statements.moment_in(connection, delay_seconds),
        "published_at": None,
        **statements.FREE,
    }
    if error is not None:
        values["error"] = error_json(error)
    if not counts_attempt:
        values["attempt"] = jobs.c.attempt - 1
    statement = statements.held().where(~jobs.c.is_cancel_requested).values(values)
    return connection.execute(statement, {"job_id": job_id, "token": lease_token}).rowcount == 1


def cancel(connection: sa.Connection, job_id: str) -> Job | None:
    """The job, cancelled if it was queued, asked to stop if it runs; None if it does neither."""
    queued = sa.update(jobs).where(jobs.c.id == job_id, statements.QUEUED)
    queued = queued.values(state=JobState.CANCELLED.value, finished_at=statements.moment_in(connection))
    running = sa.update(jobs).where(jobs.c.id == job_id, statements.RUNNING).values(is_cancel_requested=True)
    for statement in (queued, running):
        row = connection.execute(statement.returning(*JOB_COLUMNS)).one_or_none()
        if row is not None:
            return job_of(row)
    return None


def lock_abandoned(
    connection: sa.Connection, limit: int, *, held_tokens: Sequence[str] = (), started_before: datetime | None = None
) -> list[Job]:
    """Running jobs whose lease is over, locked for this transaction; rows that another sweep holds are left to it.

    Args:
        held_tokens: Leases that this process holds and is late to renew: those attempts are alive.
        started_before: Instead of the lease, take what began before this moment.
    """
    is_abandoned = (
        jobs.c.lease_until < statements.moment_in(connection)
        if started_before is None
        else jobs.c.started_at < started_before
    )
    query = sa.select(*JOB_COLUMNS).where(statements.RUNNING, is_abandoned, jobs.c.lease_token.not_in(held_tokens))
    query = query.order_by(jobs.c.lease_until).limit(limit).with_for_update(skip_locked=True)
    return [job_of(row) for row in connection.execute(query)]


def requeue_locked(connection: sa.Connection, job_ids: Sequence[str]) -> list[Job]:
    """These jobs of lock_abandoned(), queued again."""
    statement = sa.update(jobs).where(jobs.c.id.in_(job_ids), statements.RUNNING)
    statement = statement.values(
        state=JobState.QUEUED.value, available_at=statements.moment_in(connection), published_at=None, **statements.FREE
    )
    return [job_of(row) for row in connection.execute(statement.returning(*JOB_COLUMNS))]


def end_locked(connection: sa.Connection, job_ids: Sequence[str], state: JobState, error: JobError | None) -> list[Job]:
    """These jobs of lock_abandoned() in the final state."""
    statement = sa.update(jobs).where(jobs.c.id.in_(job_ids), statements.RUNNING)
    statement = statement.values(
        state=state.value, finished_at=statements.moment_in(connection), error=error_json(error), **statements.FREE
    )
    return [job_of(row) for row in connection.execute(statement.returning(*JOB_COLUMNS))]


def purge(connection: sa.Connection, older_than_seconds: float, limit: int, spared: Sequence[IsNeeded] = ()) -> int:
    """How many finished jobs were deleted with payload and result, the oldest first, at most ``limit``."""
    old = sa.select(jobs.c.id).where(
        jobs.c.finished_at < statements.moment_in(connection, -older_than_seconds),
        *(~is_needed(jobs.c.id) for is_needed in spared),
    )
    old = old.order_by(jobs.c.finished_at).limit(limit).with_for_update(skip_locked=True)
    statement = sa.delete(jobs).where(jobs.c.id.in_(sa.select(old.cte("old").c.id))).returning(jobs.c.id)
    # Counted here: sqlite3 knows no rowcount of a statement that begins with WITH.
    return len(connection.execute(statement).all())


def _is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"
