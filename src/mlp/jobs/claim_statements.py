"""The statements by which jobs become a worker's: the next one alone, several, or one with its neighbours.

Each is built once, as those of statements.py. None waits for another worker's rows: what is locked is passed over.
"""

from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from mlp.jobs.rows import JOB_COLUMNS
from mlp.jobs.statements import QUEUED, broker_queue_column, moment, moment_after
from mlp.jobs.states import JobState
from mlp.jobs.tables import job_payloads, jobs, queue_pauses

#: Neighbours of a claimed job carry at most this much each, so that a group of them fits into memory.
_NEIGHBOUR_BYTES_MAX = 65_536


class Taken(NamedTuple):
    """Which parameters narrow a claim: ``queues``, ``broker_queues``, ``job_id``."""

    of_queues: bool = False
    of_broker_queues: bool = False
    of_one: bool = False


def _may_run(is_sqlite: bool, taken: Taken) -> list[sa.ColumnElement[bool]]:
    """What is true of a job that this worker may begin now; ``kinds``, and what ``taken`` names."""
    conditions = [
        QUEUED,
        jobs.c.available_at <= moment(is_sqlite),
        sa.or_(jobs.c.expires_at.is_(None), jobs.c.expires_at > moment(is_sqlite)),
        jobs.c.kind.in_(sa.bindparam("kinds", expanding=True)),
        # Not correlated: the few names are read once, and the index still gives the order. A join might lose it.
        broker_queue_column().not_in(sa.select(queue_pauses.c.queue)),
    ]
    if taken.of_queues:
        conditions.append(jobs.c.queue.in_(sa.bindparam("queues", expanding=True)))
    if taken.of_broker_queues:
        conditions.append(broker_queue_column().in_(sa.bindparam("broker_queues", expanding=True)))
    if taken.of_one:
        conditions.append(jobs.c.id == sa.bindparam("job_id"))
    return conditions


def _first(query: sa.Select[Any], count: int) -> sa.Select[Any]:
    """The most urgent and then the oldest of the query's jobs."""
    # The limit stands in the SQL too: a plan for an unknown one may expect a tenth of the table and read all of it.
    return query.order_by(jobs.c.priority.desc(), jobs.c.id).limit(sa.literal_column(str(count), sa.Integer))


@cache
def claim(is_sqlite: bool, limit: int, taken: Taken) -> sa.Executable:
    """Jobs become a worker's; ``kinds``, ``token``, ``worker``, ``lease_end``, ``deadline``, and what is taken."""
    chosen = _first(sa.select(jobs.c.id).where(*_may_run(is_sqlite, taken)), limit)
    # A common table expression with row locks is evaluated once; as a plain sub-select it may lock more than the limit.
    return _begin(is_sqlite, chosen.with_for_update(skip_locked=True).cte("chosen"))


@cache
def head_on_sqlite(taken: Taken) -> sa.Select[Any]:
    """The job that is next: its id, kind, model and attempt; ``kinds``, and what is taken."""
    return _first(sa.select(jobs.c.id, jobs.c.kind, jobs.c.model, jobs.c.attempt).where(*_may_run(True, taken)), 1)


@cache
def claim_group_on_sqlite(limit: int, taken: Taken) -> sa.Executable:
    """The job of head_on_sqlite() and others of its kind and model behind it become a worker's, ``limit`` at most.

    As claim(), ``head``, ``head_kind``, ``head_model``. Only jobs that were never begun, with small payloads, and only
    those among the next few hundred: however many wait, the claim costs the same.
    """
    ahead = _first(sa.select(jobs.c.id, jobs.c.kind, jobs.c.model).where(*_may_run(True, taken)), 8 * limit)
    window = ahead.subquery("ahead")
    near = (
        sa.select(jobs.c.id)
        .join(window, window.c.id == jobs.c.id)
        .join(job_payloads, job_payloads.c.job_id == jobs.c.id)
        .where(
            QUEUED,
            jobs.c.attempt == 0,
            window.c.kind == sa.bindparam("head_kind"),
            window.c.model == sa.bindparam("head_model"),
            jobs.c.id != sa.bindparam("head"),
            sa.func.length(job_payloads.c.payload) <= _NEIGHBOUR_BYTES_MAX,
        )
    )
    neighbours = _first(near, limit - 1).cte("neighbours")
    head = sa.select(sa.bindparam("head", type_=sa.String()).label("id"))
    return _begin(True, sa.union_all(head, sa.select(neighbours.c.id)).cte("mine"))


#: PostgreSQL: head_on_sqlite() and claim_group_on_sqlite() in one statement of constant text. How many of what may be
#: taken, and for how long, comes in arrays; see INSERT_ARRAYS.
_CLAIM_GROUP = """
    WITH head AS MATERIALIZED (
        SELECT id, kind, model, attempt FROM jobs WHERE {may_run}
        ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED
    ), wanted AS MATERIALIZED (
        SELECT known.jobs - 1 AS others
        FROM head JOIN unnest(CAST(:known_kinds AS text[]), CAST(:known_models AS text[]), CAST(:known_jobs AS int[]))
            AS known (kind, model, jobs) ON known.kind = head.kind AND known.model = head.model
        WHERE head.attempt = 0
    ), ahead AS MATERIALIZED (
        SELECT id, kind, model, priority FROM jobs WHERE {may_run} AND EXISTS (SELECT 1 FROM wanted)
        ORDER BY priority DESC, id LIMIT 512
    ), near AS MATERIALIZED (
        SELECT jobs.id FROM ahead
            JOIN head ON head.kind = ahead.kind AND head.model = ahead.model AND head.id <> ahead.id
            JOIN jobs ON jobs.id = ahead.id
            JOIN job_payloads ON job_payloads.job_id = ahead.id
        WHERE jobs.state = 'queued' AND jobs.attempt = 0
            AND octet_length(job_payloads.payload) <= {neighbour_bytes_max}
        ORDER BY ahead.priority DESC, ahead.id
        LIMIT (SELECT coalesce((SELECT others FROM wanted), 0))
        FOR UPDATE OF jobs SKIP LOCKED
    ), mine AS MATERIALIZED (
        SELECT id FROM head UNION ALL SELECT id FROM near
    )
    UPDATE jobs SET state = 'running', attempt = jobs.attempt + 1, lease_token = :token, worker_id = :worker,
        lease_until = now() + make_interval(secs => :lease_seconds), started_at = now(),
        deadline_at = now() + make_interval(secs => (
            SELECT limits.seconds FROM unnest(CAST(:kinds AS text[]), CAST(:kind_seconds AS float8[]))
                AS limits (kind, seconds) WHERE limits.kind = jobs.kind))
    FROM mine WHERE jobs.id = mine.id
    RETURNING {columns}, (SELECT payload FROM job_payloads WHERE job_id = jobs.id) AS payload
"""
_MAY_RUN = """
    state = 'queued' AND available_at <= now() AND (expires_at IS NULL OR expires_at > now())
    AND kind = ANY(CAST(:kinds AS text[])) AND {queue} <> ALL(ARRAY(SELECT queue_pauses.queue FROM queue_pauses))
    AND (CAST(:queues AS text[]) IS NULL OR jobs.queue = ANY(CAST(:queues AS text[])))
    AND (CAST(:broker_queues AS text[]) IS NULL OR {queue} = ANY(CAST(:broker_queues AS text[])))
"""


@cache
def claim_group_on_postgresql() -> sa.Executable:
    """The next job and its neighbours become a worker's; parameters as claim_store gives them."""
    from sqlalchemy.dialects import postgresql

    queue = broker_queue_column().compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    columns = {column.name: column.type for column in JOB_COLUMNS}
    text = _CLAIM_GROUP.format(
        may_run=_MAY_RUN.format(queue=f"({queue})"),
        neighbour_bytes_max=_NEIGHBOUR_BYTES_MAX,
        columns=", ".join(f"jobs.{name}" for name in columns),
    )
    return sa.text(text).columns(payload=sa.LargeBinary(), **columns)


def _begin(is_sqlite: bool, mine: sa.CTE) -> sa.Executable:
    payload = sa.select(job_payloads.c.payload).where(job_payloads.c.job_id == jobs.c.id).correlate(jobs)
    return (
        sa.update(jobs)
        .where(jobs.c.id.in_(sa.select(mine.c.id)))
        .values(
            state=JobState.RUNNING.value,
            attempt=jobs.c.attempt + 1,
            lease_token=sa.bindparam("token"),
            lease_until=moment_after(is_sqlite, "lease_end"),
            deadline_at=moment_after(is_sqlite, "deadline"),
            worker_id=sa.bindparam("worker"),
            started_at=moment(is_sqlite),
        )
        .returning(*JOB_COLUMNS, payload.scalar_subquery().label("payload"))
    )
