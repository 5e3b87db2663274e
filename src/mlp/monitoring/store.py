"""The SQL of monitoring: daily counts per version, added to by the drain and summed up for a window."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mlp.monitoring.tables import daily_counts


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Counts per bin by feature of one version's rows of one UTC day."""

    day: datetime
    rows: int
    counts: dict[str, list[int]]


def add_counts(
    connection: sa.Connection, model: str, version: int, day: datetime, rows: int, counts: Mapping[str, list[int]]
) -> None:
    """Add a batch's counts to those of its day.

    The row is locked while it is read and written, so that two drains add up.
    """
    place = (daily_counts.c.model == model) & (daily_counts.c.version == version) & (daily_counts.c.day == day)
    known = connection.execute(
        sa.select(daily_counts.c.rows, daily_counts.c.counts).where(place).with_for_update()
    ).first()
    if known is None:
        connection.execute(
            daily_counts.insert().values(model=model, version=version, day=day, rows=rows, counts=dict(counts))
        )
        return
    added = {name: _sum(known.counts.get(name), new) for name, new in counts.items()}
    connection.execute(
        daily_counts.update().where(place).values(rows=known.rows + rows, counts={**known.counts, **added})
    )


def _sum(known: Any, new: list[int]) -> list[int]:
    if known is None or len(known) != len(new):
        return new
    return [left + right for left, right in zip(known, new, strict=True)]


def list_days(
    connection: sa.Connection, model: str, version: int, since: datetime | None, until: datetime | None
) -> list[DayCounts]:
    """The days of a version in [since, until), oldest first."""
    query = (
        sa.select(daily_counts.c.day, daily_counts.c.rows, daily_counts.c.counts)
        .where(daily_counts.c.model == model, daily_counts.c.version == version)
        .order_by(daily_counts.c.day)
    )
    if since is not None:
        query = query.where(daily_counts.c.day >= since)
    if until is not None:
        query = query.where(daily_counts.c.day < until)
    return [DayCounts(*row) for row in connection.execute(query)]
