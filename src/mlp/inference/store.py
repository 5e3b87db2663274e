"""The SQL of recorded inferences: inserting what the drain decoded, reading back, and deleting what is too old."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from mlp.inference.spool import START, Position
from mlp.inference.tables import inference_payloads, inferences, spool_progress


@dataclass(frozen=True, slots=True)
class InferenceRow:
    """One predicted row as the database has it."""

    id: str
    row: int
    version: int
    model: str
    role: str
    mode: str
    key: str | None
    at: datetime
    recorded_at: datetime
    score: float | None
    predicted: Any
    label: Any
    label_at: datetime | None


class NewRow(NamedTuple):
    """One predicted row to insert; ``predicted`` is JSON text. It has no label yet."""

    id: str
    row: int
    version: int
    model: str
    role: str
    mode: str
    key: str | None
    at: datetime
    recorded_at: datetime
    score: float | None
    predicted: str | None


class NewPayload(NamedTuple):
    """One request's inputs and outputs to insert, as JSON."""

    id: str
    inputs: bytes | None
    outputs: bytes | None
    recorded_at: datetime


def insert(connection: sa.Connection, rows: Sequence[NewRow], payloads: Sequence[NewPayload]) -> None:
    """Add decoded rows and payloads; those that are there already are left alone.

    By the driver's own statements: every prediction comes through here, and the toolkit's handling of each value
    took a third of what the server did under load.
    """
    if rows:
        _insert(connection, "inferences", NewRow._fields, rows)
    if payloads:
        _insert(connection, "inference_payloads", NewPayload._fields, payloads)


def _insert(connection: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(columns))
        statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})"
        connection.exec_driver_sql(statement, [tuple(map(_sqlite_value, row)) for row in rows])
        return
    places = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING"
    connection.exec_driver_sql(statement, list(rows))


def _sqlite_value(value: Any) -> Any:
    # The form in which UTCDateTime writes moments.
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if type(value) is datetime else value


def get_progress(connection: sa.Connection, spool: str) -> Position:
    """How far a spool has been moved; its start for one never seen."""
    found = connection.execute(
        sa.select(spool_progress.c.segment, spool_progress.c.offset_bytes).where(spool_progress.c.spool == spool)
    ).first()
    return START if found is None else Position(found.segment, found.offset_bytes)


def set_progress(connection: sa.Connection, spool: str, position: Position) -> None:
    """Note how far a spool has been moved, in the transaction that moves it."""
    values = {"segment": position.segment, "offset_bytes": position.offset_bytes}
    updated = connection.execute(spool_progress.update().where(spool_progress.c.spool == spool).values(values))
    if updated.rowcount == 0:
        connection.execute(spool_progress.insert().values(spool=spool, **values))


def delete_progress(connection: sa.Connection, spool: str) -> None:
    """Forget a spool that was emptied and removed."""
    connection.execute(spool_progress.delete().where(spool_progress.c.spool == spool))


def find_rows(connection: sa.Connection, inference_id: str) -> list[InferenceRow]:
    """The rows of one request, shadows included, by row and version; empty for an unknown id."""
    query = (
        sa.select(inferences).where(inferences.c.id == inference_id).order_by(inferences.c.row, inferences.c.version)
    )
    return [InferenceRow(**row._mapping) for row in connection.execute(query)]


def find_payload(connection: sa.Connection, inference_id: str) -> tuple[bytes | None, bytes | None]:
    """Inputs and outputs of one request as JSON; None where they were not kept."""
    found = connection.execute(
        sa.select(inference_payloads.c.inputs, inference_payloads.c.outputs).where(
            inference_payloads.c.id == inference_id
        )
    ).first()
    return (None, None) if found is None else (found.inputs, found.outputs)


def list_rows(
    connection: sa.Connection,
    *,
    model: str | None,
    key: str | None,
    since: datetime | None,
    until: datetime | None,
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[InferenceRow]:
    """Rows newest first; ``after`` is the last (at, id, row, version) of the page before."""
    place = (inferences.c.at, inferences.c.id, inferences.c.row, inferences.c.version)
    query = sa.select(inferences).order_by(*(column.desc() for column in place)).limit(limit)
    for condition in (
        None if model is None else inferences.c.model == model,
        None if key is None else inferences.c.key == key,
        None if since is None else inferences.c.at >= since,
        None if until is None else inferences.c.at < until,
        None if after is None else sa.tuple_(*place) < sa.tuple_(*after),
    ):
        if condition is not None:
            query = query.where(condition)
    return [InferenceRow(**row._mapping) for row in connection.execute(query)]


def delete_older(connection: sa.Connection, before: datetime, limit: int) -> int:
    """Delete at most ``limit`` rows and payloads recorded before a moment; returns how many rows went."""
    old = sa.select(inferences.c.id).where(inferences.c.recorded_at < before).limit(limit)
    deleted = connection.execute(inferences.delete().where(inferences.c.id.in_(old.scalar_subquery())))
    old_payloads = sa.select(inference_payloads.c.id).where(inference_payloads.c.recorded_at < before).limit(limit)
    connection.execute(inference_payloads.delete().where(inference_payloads.c.id.in_(old_payloads.scalar_subquery())))
    return deleted.rowcount
