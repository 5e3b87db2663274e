"""What came back from a query: lines, rows or an error, as values that stand in the results file."""

from dataclasses import dataclass, field

Point = tuple[float, float]
Cell = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Line:
    """One series: (seconds since 1970, value), without the moments that have none."""

    name: str
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave.

    Attributes:
        lines: Of Prometheus, and of SQL over time.
        columns: Of a table, with its rows.
        error: Why there is none; None: it was answered.
        seconds: How long it took.
    """

    lines: list[Line] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """Points, or rows."""
        return sum(len(line.points) for line in self.lines) + len(self.rows)
