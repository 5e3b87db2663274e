"""The statements of a job's path from acceptance to its end, each built once: building one takes SQLAlchemy ten times
as long as running it, and a job needs several. store.py fills them in and reads their rows.

PostgreSQL's own clock decides there about leases and waiting, never a worker's; SQLite has the clock of this machine.
States stand in the SQL as literals: only then may the planner use the partial indexes on them.
"""

from datetime import timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from mlp.clock import now
from mlp.jobs import broker_queues
from mlp.jobs.job import DEFAULT_QUEUE
from mlp.jobs.rows import JOB_COLUMNS
from mlp.jobs.states import JobState, Priority
from mlp.jobs.tables import job_payloads, job_results, job_webhooks, jobs
from mlp.storage.database import UTCDateTime


def in_state(state: JobState) -> sa.ColumnElement[bool]:
    """Whether a job is in the state."""
    return jobs.c.state == sa.literal_column(f"'{state.value}'", sa.String())


QUEUED = in_state(JobState.QUEUED)
RUNNING = in_state(JobState.RUNNING)
FREE: dict[str, Any] = {"lease_token": None, "lease_until": None, "worker_id": None}

#: How far a priority stands from the ordinary one decides the queue of a job that waits in the default queue.
_ORDINARY = sa.literal_column(str(int(Priority.DEFAULT)), sa.Integer())


def broker_queue_column() -> sa.ColumnElement[str]:
    """The name of the queue that workers take the job from, such as ``mlp.high``: broker_queue_of() in SQL."""
    # Literals, not parameters: a GROUP BY must repeat the expression to the letter, and PostgreSQL numbers parameters.
    high, default, low = (_text(name) for name in (broker_queues.HIGH, broker_queues.DEFAULT, broker_queues.LOW))
    urgent = sa.or_(*(jobs.c.queue == _text(name) for name in sorted(broker_queues.URGENT_QUEUES)))
    by_priority = sa.case((jobs.c.priority > _ORDINARY, high), (jobs.c.priority < _ORDINARY, low), else_=default)
    return sa.case(
        (jobs.c.queue == _text(DEFAULT_QUEUE), by_priority),
        (urgent, high),
        else_=_text(broker_queues.PREFIX).concat(jobs.c.queue),
    )


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.literal_column(f"'{value}'", sa.String())


INSERT_PAYLOAD = sa.insert(job_payloads)
INSERT_RESULT = sa.insert(job_results)
INSERT_WEBHOOK = sa.insert(job_webhooks)

#: PostgreSQL: a group of new jobs in one statement of constant text, a column an array. With a VALUES list of every
#: row psycopg and SQLAlchemy would spend several times the server's own time on the text.
INSERT_ARRAYS = sa.text("""
    WITH offered AS (
        SELECT * FROM unnest(
            CAST(:id AS text[]), CAST(:tenant AS text[]), CAST(:queue AS text[]), CAST(:kind AS text[]),
            CAST(:model AS text[]), CAST(:state AS text[]), CAST(:priority AS int[]), CAST(:attempt AS int[]),
            CAST(:attempts_max AS int[]), CAST(:reply_to AS text[]), CAST(:idempotency_key AS text[]),
            CAST(:fingerprint AS text[]), CAST(:is_cancel_requested AS bool[]), CAST(:payload AS bytea[]),
            CAST(:expires_seconds AS float8[]), CAST(:webhook_url AS text[])
        ) AS offered (id, tenant, queue, kind, model, state, priority, attempt, attempts_max, reply_to,
                      idempotency_key, fingerprint, is_cancel_requested, payload, expires_seconds, webhook_url)
    ), accepted AS (
        INSERT INTO jobs (id, tenant, queue, kind, model, state, priority, attempt, attempts_max, reply_to,
                          idempotency_key, fingerprint, is_cancel_requested, created_at, available_at, expires_at)
        SELECT id, tenant, queue, kind, model, state, priority, attempt, attempts_max, reply_to,
               idempotency_key, fingerprint, is_cancel_requested, now(), now(),
               now() + make_interval(secs => expires_seconds)
        FROM offered ON CONFLICT DO NOTHING RETURNING id, created_at
    ), written AS (
        INSERT INTO job_payloads (job_id, payload) SELECT id, payload FROM accepted JOIN offered USING (id)
    ), called AS (
        INSERT INTO job_webhooks (job_id, url, state, attempt, due_at)
        SELECT id, webhook_url, 'open', 0, now() FROM accepted JOIN offered USING (id) WHERE webhook_url IS NOT NULL
    )
    SELECT id, created_at FROM accepted
""").columns(id=sa.String(), created_at=UTCDateTime())


def moment(is_sqlite: bool) -> sa.ColumnElement[Any]:
    """Now, when the statement runs, by the clock that decides."""
    # A column of its own for each use, because two parameters of one name in one statement are one.
    return sa.bindparam("now", callable_=now, type_=UTCDateTime(), unique=True) if is_sqlite else sa.func.now()


def moment_in(connection: sa.Connection, seconds_later: float = 0.0) -> sa.ColumnElement[Any]:
    """Now, or so many seconds later (below 0: before), by the clock that decides; for what is built when it runs."""
    is_sqlite = connection.dialect.name == "sqlite"
    if seconds_later == 0.0:
        return moment(is_sqlite)
    delta = timedelta(seconds=seconds_later)
    return sa.literal(now() + delta, UTCDateTime()) if is_sqlite else sa.func.now() + sa.literal(delta, sa.Interval())


def moment_after(is_sqlite: bool, name: str) -> sa.ColumnElement[Any]:
    """The moment some time from now; ``later(is_sqlite, seconds)`` fills in the parameter of that name."""
    if is_sqlite:
        return sa.bindparam(name, type_=UTCDateTime())
    return sa.func.now() + sa.bindparam(name, type_=sa.Interval())


def later(is_sqlite: bool, seconds: float) -> Any:
    """The value of a parameter of moment_after()."""
    delta = timedelta(seconds=seconds)
    return now() + delta if is_sqlite else delta


@cache
def with_result() -> sa.Select[Any]:
    """Jobs with their results."""
    columns = (*JOB_COLUMNS, job_results.c.result, job_results.c.digest)
    return sa.select(*columns).outerjoin(job_results, job_results.c.job_id == jobs.c.id)


@cache
def find_job() -> sa.Select[Any]:
    """One job with its result; ``job_id``."""
    return with_result().where(jobs.c.id == sa.bindparam("job_id"))


@cache
def insert_jobs_on_sqlite() -> Any:
    """New jobs as rows; those whose id or key is known are passed over."""
    return (
        sqlite.insert(jobs)
        .values(created_at=moment(True), available_at=moment(True))
        .on_conflict_do_nothing()
        .returning(jobs.c.id, jobs.c.created_at)
    )


@cache
def held() -> sa.Update:
    """Changes a job whose attempt still holds its lease; ``job_id``, ``token``."""
    return sa.update(jobs).where(
        jobs.c.id == sa.bindparam("job_id"), jobs.c.lease_token == sa.bindparam("token"), RUNNING
    )


@cache
def finish_on_sqlite(*, has_progress: bool) -> sa.Executable:
    """A held job reaches a final state; as held(), ``final_state``, ``why``, and ``reported`` if there is progress."""
    # The token stays: an attempt whose COMMIT got no answer recognises its own work by it.
    values: dict[str, Any] = {
        "state": sa.bindparam("final_state"),
        "finished_at": moment(True),
        "lease_until": None,
        "error": sa.bindparam("why", type_=jobs.c.error.type),
    }
    if has_progress:
        values["progress"] = sa.bindparam("reported", type_=jobs.c.progress.type)
    return held().values(values).returning(*JOB_COLUMNS)


#: PostgreSQL: a group of attempts ends in one statement of constant text, their results with it; see INSERT_ARRAYS.
FINISH_ARRAYS = sa.text("""
    WITH ended AS (
        SELECT * FROM unnest(
            CAST(:id AS text[]), CAST(:token AS text[]), CAST(:state AS text[]), CAST(:error AS text[]),
            CAST(:progress AS text[]), CAST(:result AS bytea[]), CAST(:digest AS text[])
        ) AS ended (id, token, state, error, progress, result, digest)
    ), done AS (
        UPDATE jobs SET state = ended.state, finished_at = now(), lease_until = NULL,
            error = CAST(ended.error AS jsonb), progress = coalesce(CAST(ended.progress AS jsonb), jobs.progress)
        FROM ended
        WHERE jobs.id = ended.id AND jobs.lease_token = ended.token AND jobs.state = 'running'
        RETURNING jobs.id, jobs.attempt, jobs.finished_at
    ), written AS (
        INSERT INTO job_results (job_id, attempt, result, digest)
        SELECT done.id, done.attempt, ended.result, ended.digest FROM done JOIN ended USING (id)
        WHERE ended.result IS NOT NULL
    )
    SELECT id, finished_at FROM done
""").columns(id=sa.String(), finished_at=UTCDateTime())


@cache
def renew(is_sqlite: bool) -> sa.Executable:
    """Leases made longer; ``ids``, ``tokens``, ``lease_end``."""
    held_now = sa.select(jobs.c.id).where(
        jobs.c.id.in_(sa.bindparam("ids", expanding=True)),
        jobs.c.lease_token.in_(sa.bindparam("tokens", expanding=True)),
        RUNNING,
    )
    # Locked in one order, as results are written: two transactions over the same rows wait, not in a circle.
    mine = held_now.order_by(jobs.c.id).with_for_update().cte("mine")
    return (
        sa.update(jobs)
        .where(jobs.c.id.in_(sa.select(mine.c.id)))
        .values(lease_until=moment_after(is_sqlite, "lease_end"))
        .returning(jobs.c.id, jobs.c.lease_token, jobs.c.is_cancel_requested)
    )
