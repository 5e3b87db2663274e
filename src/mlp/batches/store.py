"""The rows of batch files and their chunks, read and written; SQLite and PostgreSQL alike."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from mlp.batches.batch import Batch, BatchError, ChunkPlace, NewBatch, NewChunk, Options, options_json
from mlp.batches.choices import BatchState
from mlp.batches.tables import IS_OPEN, batch_chunks, batches
from mlp.clock import now
from mlp.jobs.groups import JOB_STATES
from mlp.jobs.states import JobState
from mlp.storage.database import upsert

_RECEIVING = batches.c.state == BatchState.RECEIVING.value
_ITS_JOB = batch_chunks.outerjoin(JOB_STATES, JOB_STATES.c.job_id == batch_chunks.c.job_id)


class ChunkCount(NamedTuple):
    """Chunks of a batch whose jobs are in one state; the state is None where there is no job."""

    state: JobState | None
    chunks: int
    rows: int
    rows_bad: int


class LostChunk(NamedTuple):
    """A chunk that cannot come to its end by itself any more."""

    number: int
    state: JobState | None
    error: dict[str, str] | None


def insert_batch(connection: sa.Connection, new: NewBatch) -> bool:
    """Whether the batch was written; False if another one has its idempotency key."""
    values = {
        "id": new.id,
        "tenant": new.tenant,
        "model": new.model,
        "reference": new.reference,
        "version": new.version,
        "format": new.options.format.value,
        "policy": new.options.policy.value,
        "state": BatchState.RECEIVING.value,
        "options": options_json(new.options),
        "result_header": "",
        "chunks": 0,
        "rows": 0,
        "bytes": 0,
        "rows_done": 0,
        "rows_bad": 0,
        "idempotency_key": new.idempotency_key,
        "has_leftovers": False,
        "created_at": now(),
        "touched_at": now(),
    }
    statement = upsert(connection, batches).values(values).on_conflict_do_nothing()
    return connection.execute(statement.returning(batches.c.id)).one_or_none() is not None


def find_batch(connection: sa.Connection, batch_id: str, *, is_locked: bool = False) -> Batch | None:
    """The batch; locked, if so asked, until the transaction ends."""
    query = sa.select(batches).where(batches.c.id == batch_id)
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _batch_of(row)


def find_by_key(connection: sa.Connection, tenant: str, key: str) -> Batch | None:
    """The batch that has the idempotency key."""
    query = sa.select(batches).where(batches.c.tenant == tenant, batches.c.idempotency_key == key)
    row = connection.execute(query).one_or_none()
    return None if row is None else _batch_of(row)


def list_batches(
    connection: sa.Connection,
    *,
    model: str | None,
    state: BatchState | None,
    key: str | None,
    limit: int,
    before_id: str | None,
    tenant: str = "default",
) -> list[Batch]:
    """Batches, newest first; ``before_id`` is the last one of the page before."""
    query = sa.select(batches).where(batches.c.tenant == tenant).order_by(batches.c.id.desc()).limit(limit)
    if model is not None:
        query = query.where(batches.c.model == model)
    if state is not None:
        query = query.where(batches.c.state == state.value)
    if key is not None:
        query = query.where(batches.c.idempotency_key == key)
    if before_id is not None:
        query = query.where(batches.c.id < before_id)
    return [_batch_of(row) for row in connection.execute(query)]


def list_open(connection: sa.Connection) -> list[tuple[Batch, bool]]:
    """Batches that are under way, or have ended early; with whether jobs of theirs may have to be cancelled."""
    query = sa.select(batches).where(IS_OPEN).order_by(batches.c.id)
    return [(_batch_of(row), row.has_leftovers) for row in connection.execute(query)]


def set_headers(connection: sa.Connection, batch_id: str, header: Sequence[str] | None, result_header: str) -> None:
    """Keep the columns of the file, and the first line of the result."""
    statement = sa.update(batches).where(batches.c.id == batch_id)
    connection.execute(statement.values(header=header, result_header=result_header))


def add_chunks(
    connection: sa.Connection, batch_id: str, chunks: Sequence[NewChunk], *, rows_total: int, bytes_received: int
) -> bool:
    """Whether the chunks stand there: only while the batch is being received; may be called again with the same ones.

    Args:
        rows_total: Rows of the batch so far, with these.
    """
    statement = sa.update(batches).where(batches.c.id == batch_id, _RECEIVING)
    statement = statement.values(chunks=chunks[-1].number + 1, rows=rows_total, bytes=bytes_received, touched_at=now())
    if connection.execute(statement).rowcount != 1:
        return False
    values = [
        {
            "batch_id": batch_id,
            "number": chunk.number,
            "job_id": chunk.job_id,
            "first_line": chunk.first_line,
            "rows": chunk.rows,
            "rows_bad": 0,
        }
        for chunk in chunks
    ]
    connection.execute(upsert(connection, batch_chunks).on_conflict_do_nothing(), values)
    return True


def touch(connection: sa.Connection, batch_id: str, bytes_received: int) -> bool:
    """Note that the sender is still there; False if the batch is not being received any more."""
    statement = sa.update(batches).where(batches.c.id == batch_id, _RECEIVING)
    return connection.execute(statement.values(bytes=bytes_received, touched_at=now())).rowcount == 1


def set_received(connection: sa.Connection, batch_id: str, bytes_received: int, fingerprint: str) -> bool:
    """Whether the file was received whole: only a batch that is being received can be."""
    statement = sa.update(batches).where(batches.c.id == batch_id, _RECEIVING)
    statement = statement.values(
        state=BatchState.RUNNING.value,
        bytes=bytes_received,
        fingerprint=fingerprint,
        touched_at=now(),
        received_at=now(),
    )
    return connection.execute(statement).rowcount == 1


def set_rows_bad(connection: sa.Connection, batch_id: str, number: int, rows_bad: int) -> None:
    """Note how many rows of a chunk are bad."""
    statement = sa.update(batch_chunks).where(batch_chunks.c.batch_id == batch_id, batch_chunks.c.number == number)
    connection.execute(statement.values(rows_bad=rows_bad))


def end_batch(
    connection: sa.Connection,
    batch_id: str,
    state: BatchState,
    *,
    error: BatchError | None = None,
    rows_done: int = 0,
    rows_bad: int = 0,
) -> bool:
    """Whether the batch was brought to this final state; False if it was in one already.

    A batch whose file did not arrive whole loses its idempotency key: what the key stands for is not known.
    """
    values: dict[str, Any] = {
        "state": state.value,
        "error": None if error is None else {"code": error.code, "detail": error.detail, "line": error.line},
        "rows_done": rows_done,
        "rows_bad": rows_bad,
        "has_leftovers": state is not BatchState.SUCCEEDED,
        "finished_at": now(),
        "idempotency_key": sa.case((_RECEIVING, sa.null()), else_=batches.c.idempotency_key),
    }
    statement = sa.update(batches).where(batches.c.id == batch_id, batches.c.finished_at.is_(None))
    return connection.execute(statement.values(values)).rowcount == 1


def count_chunks(connection: sa.Connection, batch_ids: Iterable[str]) -> dict[str, list[ChunkCount]]:
    """How many chunks of each batch are in which state."""
    query = (
        sa.select(
            batch_chunks.c.batch_id,
            JOB_STATES.c.state,
            sa.func.count().label("chunks"),
            sa.func.sum(batch_chunks.c.rows).label("rows"),
            sa.func.sum(batch_chunks.c.rows_bad).label("rows_bad"),
        )
        .select_from(_ITS_JOB)
        .where(batch_chunks.c.batch_id.in_(list(batch_ids)))
        .group_by(batch_chunks.c.batch_id, JOB_STATES.c.state)
    )
    counts: defaultdict[str, list[ChunkCount]] = defaultdict(list)
    for row in connection.execute(query):
        state = None if row.state is None else JobState(row.state)
        counts[row.batch_id].append(ChunkCount(state, row.chunks, int(row.rows), int(row.rows_bad)))
    return counts


def find_lost_chunk(connection: sa.Connection, batch_id: str) -> LostChunk | None:
    """The first chunk whose job has failed, was cancelled, or is not there."""
    lost = (JobState.FAILED.value, JobState.CANCELLED.value)
    query = (
        sa.select(batch_chunks.c.number, JOB_STATES.c.state, JOB_STATES.c.error)
        .select_from(_ITS_JOB)
        .where(batch_chunks.c.batch_id == batch_id, sa.or_(JOB_STATES.c.state.in_(lost), JOB_STATES.c.state.is_(None)))
        .order_by(batch_chunks.c.number)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return LostChunk(row.number, None if row.state is None else JobState(row.state), row.error)


def list_chunks(
    connection: sa.Connection,
    batch_id: str,
    *,
    from_number: int,
    limit: int,
    only_bad: bool = False,
) -> list[ChunkPlace]:
    """Chunks in the file's order; of those with bad rows alone, if so asked."""
    query = (
        sa.select(
            batch_chunks.c.number,
            batch_chunks.c.job_id,
            batch_chunks.c.rows,
            batch_chunks.c.rows_bad,
            JOB_STATES.c.state,
        )
        .select_from(_ITS_JOB)
        .where(batch_chunks.c.batch_id == batch_id, batch_chunks.c.number >= from_number)
        .order_by(batch_chunks.c.number)
        .limit(limit)
    )
    if only_bad:
        query = query.where(batch_chunks.c.rows_bad > 0)
    return [
        ChunkPlace(row.number, row.job_id, row.rows, row.rows_bad, row.state == JobState.SUCCEEDED.value)
        for row in connection.execute(query)
    ]


def list_unfinished_jobs(connection: sa.Connection, batch_id: str, limit: int) -> list[tuple[str, JobState]]:
    """Jobs of the batch that wait or run."""
    query = (
        sa.select(JOB_STATES.c.job_id, JOB_STATES.c.state)
        .select_from(batch_chunks.join(JOB_STATES, JOB_STATES.c.job_id == batch_chunks.c.job_id))
        .where(batch_chunks.c.batch_id == batch_id, JOB_STATES.c.finished_at.is_(None))
        .order_by(batch_chunks.c.number)
        .limit(limit)
    )
    return [(row.job_id, JobState(row.state)) for row in connection.execute(query)]


def clear_leftovers(connection: sa.Connection, batch_id: str) -> None:
    """No job of the batch has to be cancelled any more."""
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(has_leftovers=False))


def delete_older(connection: sa.Connection, before: datetime, limit: int) -> int:
    """How many batches were deleted that finished before then, at most ``limit``; their jobs are deleted as jobs."""
    old = sa.select(batches.c.id).where(batches.c.finished_at < before).order_by(batches.c.finished_at).limit(limit)
    return len(connection.execute(sa.delete(batches).where(batches.c.id.in_(old)).returning(batches.c.id)).all())


def is_needed(job_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a job belongs to a batch that is kept; in the SQL of whoever deletes jobs."""
    return sa.exists(sa.select(sa.literal_column("1")).where(batch_chunks.c.job_id == job_id))


def _batch_of(row: Any) -> Batch:
    return Batch(
        id=row.id,
        tenant=row.tenant,
        model=row.model,
        reference=row.reference,
        version=row.version,
        options=msgspec.convert(row.options, Options),
        state=BatchState(row.state),
        header=None if row.header is None else tuple(row.header),
        result_header=row.result_header,
        chunks=row.chunks,
        rows=row.rows,
        bytes=row.bytes,
        rows_done=row.rows_done,
        rows_bad=row.rows_bad,
        idempotency_key=row.idempotency_key,
        fingerprint=row.fingerprint,
        error=None if row.error is None else BatchError(**row.error),
        created_at=row.created_at,
        touched_at=row.touched_at,
        received_at=row.received_at,
        finished_at=row.finished_at,
    )
