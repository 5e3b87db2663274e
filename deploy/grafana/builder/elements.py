"""The elements of a dashboard as values; what Grafana calls them is known to document.py alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: Columns of Grafana's grid.
GRID_COLUMNS = 24


class Unit(StrEnum):
    """Units as Grafana names them (documentation of Grafana 13, "Standard options", Unit)."""

    NUMBER = "short"
    PLAIN = "none"
    SHARE = "percentunit"
    SECONDS = "s"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    REQUESTS_PER_SECOND = "reqps"
    ROWS_PER_SECOND = "rowsps"
    MESSAGES_PER_SECOND = "mps"
    EVENTS_PER_SECOND = "eps"
    OPERATIONS_PER_SECOND = "ops"


class Visual(StrEnum):
    """How a panel shows its numbers."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    BARS = "bargauge"


class Need(StrEnum):
    """What must run for a panel to have something to show, beyond a server."""

    WORKER = "worker"
    RABBITMQ = "rabbitmq"
    TRAEFIK = "traefik"
    EXPORTERS = "exporters"
    STACK = "stack"  #: numbers that servers give only with a broker, a cache and PostgreSQL beside them


class Format(StrEnum):
    """What a query of PostgreSQL gives: lines over time, or rows."""

    LINES = "time_series"
    ROWS = "table"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A PromQL query.

    Attributes:
        expression: May use ``$__rate_interval``, ``$__range`` and the dashboard's variables.
        legend: ``{{label}}`` stands for the label's value.
        is_instant: Ask for the newest values only: tables and bars.
        may_be_empty: Why no answer is well, such as failures; None: an empty answer is a fault.
    """

    expression: str
    legend: str = ""
    is_instant: bool = False
    may_be_empty: str | None = None


@dataclass(frozen=True, slots=True)
class Postgres:
    """An SQL query; ``$__timeFilter(column)`` and its like stand for the time range."""

    sql: str
    format: Format = Format.ROWS
    may_be_empty: str | None = None


Query = Prometheus | Postgres


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a number stops being well; from the lowest up, each with one of the three colours below.

    Attributes:
        steps: (from, level); the first one from minus infinity, None.
    """

    steps: tuple[tuple[float | None, str], ...]


WELL, WARNING, BAD = "well", "warning", "bad"


def bad_above(bad: float, warning: float | None = None) -> Thresholds:
    """A number that should be low."""
    middle = () if warning is None else ((warning, WARNING),)
    return Thresholds(((None, WELL), *middle, (bad, BAD)))


def bad_below(well: float, warning: float | None = None) -> Thresholds:
    """A number that should be high: bad below ``warning`` if there is one, else below ``well``."""
    middle = () if warning is None else ((warning, WARNING),)
    return Thresholds(((None, BAD), *middle, (well, WELL)))


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture or table.

    Attributes:
        description: What it means, and what to do when it is bad: shown where the mouse rests on the panel's mark.
        words: Text for a number, so that it is not told by colour alone: ``{0: "down", 1: "up"}``.
        column_units: Of a table's columns by name.
        hidden_columns: Of a table.
        is_stacked: Lines are areas on top of one another.
        last: Shows this stretch up to now whatever the dashboard's own time range says, such as ``30d``.
        needs: What must run beside a server.
        may_be_empty: As of each query, for all of them.
        no_value: What is shown when there is nothing.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: Unit = Unit.NUMBER
    visual: Visual = Visual.LINES
    width: int = 8
    height: int = 8
    thresholds: Thresholds | None = None
    words: Mapping[float, str] = field(default_factory=dict)
    column_units: Mapping[str, Unit] = field(default_factory=dict)
    hidden_columns: tuple[str, ...] = ()
    is_stacked: bool = False
    decimals: int | None = None
    minimum: float | None = 0.0
    maximum: float | None = None
    last: str | None = None
    needs: frozenset[Need] = frozenset()
    may_be_empty: str | None = None
    no_value: str = "nothing"


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]
    is_collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a dashboard, from the values of a label; several or all of them.

    Attributes:
        metric: Whose label it is.
    """

    name: str
    title: str
    description: str
    metric: str
    label: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """Marks on every time line, from a query with the columns time, title, text and tags."""

    name: str
    sql: str
    colour: str
    may_be_empty: str | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of rows; ``uid`` stands in its address and never changes."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    time_from: str = "now-1h"
    refresh: str = "30s"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels in the order of their numbers."""
        return tuple(panel for row in self.rows for panel in row.panels)
