"""Puts values in the place of Grafana's variables and macros, in PromQL and in PostgreSQL's SQL.

Source: documentation of Grafana 13, "Global variables", "Variable syntax", and of its data source for PostgreSQL,
"Macros"; the spelling of the SQL as its data source writes it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: Beyond this many seconds Grafana writes intervals in the next unit.
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_MACRO = re.compile(r"\$(__\w+)\(([^()]*)\)")
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
#: Prometheus' characters that mean something in a regular expression.
_SPECIAL = re.compile(r"[.*+?^${}()|[\]\\]")


@dataclass(frozen=True, slots=True)
class Span:
    """The time shown, and how finely.

    Attributes:
        scrape_seconds: The data source's own interval, ``timeInterval`` in the provisioning.
        points_max: Points of a line at most.
    """

    since: datetime
    until: datetime
    scrape_seconds: float = 10.0
    points_max: int = 500

    @property
    def range_seconds(self) -> float:
        """Its length."""
        return (self.until - self.since).total_seconds()

    @property
    def interval_seconds(self) -> int:
        """Between two points: no finer than the scrapes."""
        return max(1, round(max(self.scrape_seconds, self.range_seconds / self.points_max)))

    @property
    def rate_interval_seconds(self) -> int:
        """What a rate looks back: four scrapes at least, so that two samples are inside even if one was missed."""
        return round(max(self.interval_seconds + self.scrape_seconds, 4 * self.scrape_seconds))

    def last(self, duration: str) -> "Span":
        """The span of a panel that shows its own stretch, such as ``30d``."""
        since = self.until - timedelta(seconds=duration_seconds(duration))
        return Span(since, self.until, self.scrape_seconds, self.points_max)


def duration_seconds(text: str) -> float:
    """``15m`` as seconds.

    Raises:
        ValueError: It is no duration.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration such as 15m or 2h")
    return float(found[1]) * _UNIT_SECONDS[found[2]]


def duration_text(seconds: float) -> str:
    """Seconds in the largest unit that divides them: 120 is ``2m``."""
    whole = round(seconds)
    return next(f"{whole // size}{unit}" for unit, size in _UNITS if whole % size == 0)


Values = Mapping[str, Sequence[str]]


def promql(expression: str, span: Span, values: Values) -> str:
    """The query as Grafana sends it to Prometheus."""
    own = {
        "__rate_interval": duration_text(span.rate_interval_seconds),
        "__interval": duration_text(span.interval_seconds),
        "__range": f"{round(span.range_seconds)}s",
        "__range_s": str(round(span.range_seconds)),
    }

    def put(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        if name in own:
            return own[name]
        chosen = [_escaped(value) for value in _values_of(values, name)]
        return chosen[0] if len(chosen) == 1 else f"({'|'.join(chosen)})"

    return _VARIABLE.sub(put, expression)


def _escaped(value: str) -> str:
    # Twice: once for the regular expression, once for the string in quotes around it.
    return _SPECIAL.sub(lambda found: "\\\\" + found[0], value)


def sql(statement: str, span: Span, values: Values) -> str:
    """The statement as Grafana sends it to PostgreSQL."""

    def put(found: re.Match[str]) -> str:
        name, form = found[1] or found[3], found[2]
        if name == "__interval":
            return duration_text(span.interval_seconds)
        if form not in ("sqlstring", None):
            raise ValueError(f"the checker does not know the form {form!r} of {name}")
        return ",".join("'" + value.replace("'", "''") + "'" for value in _values_of(values, name))

    expanded = _MACRO.sub(
        lambda found: _macro(found[1], [each.strip() for each in found[2].split(",")], span), statement
    )
    return _VARIABLE.sub(put, expanded)


def _macro(name: str, arguments: Sequence[str], span: Span) -> str:
    since, until = _moment(span.since), _moment(span.until)
    first = arguments[0]
    if name == "__timeFilter":
        return f"{first} BETWEEN '{since}' AND '{until}'"
    if name == "__timeFrom":
        return f"'{since}'"
    if name == "__timeTo":
        return f"'{until}'"
    if name in ("__timeGroup", "__timeGroupAlias"):
        given = arguments[1].strip("'\"")
        seconds = span.interval_seconds if given == "$__interval" else duration_seconds(given)
        group = f"floor(extract(epoch from {first})/{seconds:g})*{seconds:g}"
        return group if name == "__timeGroup" else f'{group} AS "time"'
    raise ValueError(f"the checker does not know the macro ${name}")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _values_of(values: Values, name: str) -> Sequence[str]:
    if name not in values:
        raise ValueError(f"the dashboard has no variable ${name}")
    return values[name]
