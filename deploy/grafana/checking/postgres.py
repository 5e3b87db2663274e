"""Asks PostgreSQL as the read-only role, and turns rows into lines as Grafana does for the format time series."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg

from deploy.grafana.checking.answers import Answer, Cell, Line, Point


class PostgresServer:
    """A PostgreSQL to ask; every query is a transaction of its own that is read-only.

    Raises:
        psycopg.OperationalError: It does not answer, or refuses the role.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
        self._connection.read_only = True

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def ask(self, statement: str, form: str) -> Answer:
        """Rows for the form ``table``, lines for ``time_series``."""
        try:
            # As bytes: the text comes from our own files with Grafana's values put in, and has no place for parameters.
            cursor = self._connection.execute(statement.encode())
            columns = [column.name for column in cursor.description or ()]
            rows = cursor.fetchall()
        except psycopg.Error as error:
            return Answer(error=" ".join(str(error).split()) or type(error).__name__)
        if form == "time_series":
            return _lines(columns, rows)
        return Answer(columns=columns, rows=[[_cell(value) for value in row] for row in rows])


def _lines(columns: list[str], rows: list[tuple[Any, ...]]) -> Answer:
    if "time" not in columns or len(columns) < 2:
        return Answer(error=f"a time series needs a column time and a value, got {', '.join(columns)}")
    time_at, metric_at = columns.index("time"), columns.index("metric") if "metric" in columns else None
    values_at = [at for at in range(len(columns)) if at not in (time_at, metric_at)]
    if any(rows[at][time_at] < rows[at - 1][time_at] for at in range(1, len(rows))):
        return Answer(error="a time series must be ordered by its time")
    found: dict[str, list[Point]] = {}
    for row in rows:
        for at in values_at:
            value = _number(row[at])
            if isinstance(value, str):
                return Answer(error=f"the column {columns[at]} holds {value}, which is no number")
            name = columns[at] if metric_at is None else str(row[metric_at])
            if value is not None and math.isfinite(value):
                found.setdefault(name, []).append((row[time_at].timestamp(), value))
    return Answer(lines=[Line(name, points) for name, points in found.items()])


def _number(value: Any) -> float | str | None:
    if value is None or isinstance(value, int | float | Decimal):
        return None if value is None else float(value)
    return str(type(value).__name__)


def _cell(value: Any) -> Cell:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
