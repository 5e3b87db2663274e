"""The SQL of feedback: noting labels, finding those that wait for their inference, and counting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlp.feedback.tables import feedback

#: Values in one IN list: SQLite takes 32,766 variables, PostgreSQL 65,535.
_VALUES_PER_QUERY = 10_000


def insert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note accepted labels."""
    if rows:
        connection.execute(feedback.insert(), rows)


def list_parked(
    connection: sa.Connection, model: str, keys: Sequence[str], inference_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """Labels of a model that wait for one of these keys or ids, in the order in which they came."""
    waiting = sa.select(feedback).where(feedback.c.state == "parked", feedback.c.model == model)
    found = []
    # A label that waits names its inference by one of the two, so that none is found twice.
    for column, values in ((feedback.c.key, keys), (feedback.c.inference_id, inference_ids)):
        for start in range(0, len(values), _VALUES_PER_QUERY):
            query = waiting.where(column.in_(values[start : start + _VALUES_PER_QUERY]))
            found += [dict(row._mapping) for row in connection.execute(query)]
    return sorted(found, key=lambda row: str(row["id"]))


def models_with_parked(connection: sa.Connection) -> set[str]:
    """Names of the models for which any label waits."""
    return {
        row[0] for row in connection.execute(sa.select(feedback.c.model).where(feedback.c.state == "parked").distinct())
    }


def settle(connection: sa.Connection, settled: Sequence[Mapping[str, Any]]) -> None:
    """Note what became of labels that waited; each mapping has the ``id`` and every value that matching gives."""
    if settled:
        connection.execute(_SETTLE, [{f"new_{name}": value for name, value in item.items()} for item in settled])


_SETTLE = (
    feedback.update()
    .where(feedback.c.id == sa.bindparam("new_id"))
    .values(
        {name: sa.bindparam(f"new_{name}") for name in ("inference_id", "row", "state", "delay_seconds", "is_late")}
    )
)


def count_states(connection: sa.Connection, model: str) -> dict[str, int]:
    """Labels of a model by state."""
    query = sa.select(feedback.c.state, sa.func.count()).where(feedback.c.model == model).group_by(feedback.c.state)
    return {state: count for state, count in connection.execute(query)}


def list_delays(connection: sa.Connection, model: str, limit: int) -> list[float]:
    """Delays in seconds of the newest labels that were the first of their inference."""
    query = (
        sa.select(feedback.c.delay_seconds)
        .where(feedback.c.model == model, feedback.c.state == "matched")
        .order_by(feedback.c.received_at.desc())
        .limit(limit)
    )
    return [row[0] for row in connection.execute(query) if row[0] is not None]


def delete_older(connection: sa.Connection, before: datetime, limit: int) -> int:
    """Delete at most ``limit`` labels received before a moment; returns how many went."""
    old = sa.select(feedback.c.id).where(feedback.c.received_at < before).limit(limit)
    return connection.execute(feedback.delete().where(feedback.c.id.in_(old.scalar_subquery()))).rowcount
