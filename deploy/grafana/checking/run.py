"""Runs every query of the dashboards' files, and judges each answer by what the definitions expect of it."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from deploy.grafana.builder import Dashboard, Need
from deploy.grafana.checking import macros
from deploy.grafana.checking.answers import Answer
from deploy.grafana.checking.macros import Span

_LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)")


class Verdict(StrEnum):
    """How an answer is judged; the last two fail the check."""

    WELL = "well"
    EMPTY_IS_WELL = "empty, well"
    LEFT_OUT = "left out"
    EMPTY = "EMPTY"
    ERROR = "ERROR"

    @property
    def is_failure(self) -> bool:
        """Whether the check fails for it."""
        return self in (Verdict.EMPTY, Verdict.ERROR)


@dataclass(frozen=True, slots=True)
class Asked:
    """One query with its answer.

    Attributes:
        panel: Its number; 0 for a variable or an annotation.
        title: Of the panel, the variable or the annotation.
        query: Its letter.
        text: As it was sent.
        reason: Why an empty answer is well, or why it was left out.
    """

    dashboard: str
    panel: int
    title: str
    query: str
    source: str
    text: str
    verdict: Verdict
    answer: Answer
    reason: str = ""


class MetricSource(Protocol):
    """Prometheus, or whatever answers as it does."""

    def ask_range(self, expression: str, legend: str, span: Span) -> Answer:
        """Lines over the span."""

    def ask_instant(self, expression: str, legend: str, span: Span) -> Answer:
        """The newest values."""

    def label_values(self, metric: str, label: str, span: Span) -> Answer:
        """The values of a label."""


class RowSource(Protocol):
    """PostgreSQL, or whatever answers as it does."""

    def ask(self, statement: str, form: str) -> Answer:
        """Rows, or lines."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the dashboards' questions go, and for what time; a source that is None is not asked."""

    prometheus: MetricSource | None
    postgres: RowSource | None
    span: Span
    without: Collection[Need] = ()


def check_dashboard(dashboard: Dashboard, folder: Path, sources: Sources) -> Iterator[Asked]:
    """Every query of a dashboard's file, asked and judged: variables, annotations, panels."""
    document = json.loads((folder / f"{dashboard.uid}.json").read_text("utf-8"))
    values: dict[str, list[str]] = {}
    for variable in document["templating"]["list"]:
        asked = _ask_variable(dashboard, variable, sources)
        values[variable["name"]] = [str(row[0]) for row in asked.answer.rows]
        yield asked
    for annotation, ours in zip(document["annotations"]["list"][1:], dashboard.annotations, strict=True):
        place = Asked(dashboard.uid, 0, f"annotation {ours.name}", "", "", "", Verdict.WELL, Answer())
        yield _ask(annotation["target"], place, ours.may_be_empty, frozenset(), sources, sources.span, values)
    for panel in _panels_of(document):
        yield from _ask_panel(dashboard, panel, sources, values)


def _panels_of(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in document["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def _ask_panel(
    dashboard: Dashboard, panel: dict[str, Any], sources: Sources, values: dict[str, list[str]]
) -> Iterator[Asked]:
    ours = dashboard.panels[panel["id"] - 1]
    span = replace(sources.span, points_max=panel["maxDataPoints"])
    if "timeFrom" in panel:
        span = span.last(panel["timeFrom"])
    for target, query in zip(panel["targets"], ours.queries, strict=True):
        reason = query.may_be_empty or ours.may_be_empty
        place = Asked(dashboard.uid, panel["id"], panel["title"], target["refId"], "", "", Verdict.WELL, Answer())
        yield _ask(target, place, reason, ours.needs, sources, span, values)


def _ask(
    target: Mapping[str, Any],
    place: Asked,
    may_be_empty: str | None,
    needs: frozenset[Need],
    sources: Sources,
    span: Span,
    values: dict[str, list[str]],
) -> Asked:
    is_sql = "rawSql" in target
    source = sources.postgres if is_sql else sources.prometheus
    place = replace(place, source="postgresql" if is_sql else "prometheus")
    missing: list[str] = sorted(needs & set(sources.without))
    if source is None:
        missing.append(place.source)
    if missing:
        return replace(place, verdict=Verdict.LEFT_OUT, reason=f"without {', '.join(missing)}")
    began = monotonic()
    if is_sql:
        text = macros.sql(target["rawSql"], span, values)
        assert sources.postgres is not None
        answer = sources.postgres.ask(text, target["format"])
    else:
        text = macros.promql(target["expr"], span, values)
        assert sources.prometheus is not None
        ask = sources.prometheus.ask_instant if target["instant"] else sources.prometheus.ask_range
        answer = ask(text, target["legendFormat"], span)
    return _judged(replace(place, text=text, answer=replace(answer, seconds=monotonic() - began)), may_be_empty)


def _ask_variable(dashboard: Dashboard, variable: Mapping[str, Any], sources: Sources) -> Asked:
    place = Asked(dashboard.uid, 0, f"variable {variable['name']}", "", "prometheus", "", Verdict.WELL, Answer())
    if sources.prometheus is None:
        return replace(place, verdict=Verdict.LEFT_OUT, reason="without prometheus")
    text = variable["query"]["query"]
    found = _LABEL_VALUES.fullmatch(text)
    if found is None:
        return replace(
            place, text=text, verdict=Verdict.ERROR, answer=Answer(error="not a label_values(metric, label)")
        )
    return _judged(
        replace(place, text=text, answer=sources.prometheus.label_values(found[1], found[2], sources.span)), None
    )


def _judged(asked: Asked, may_be_empty: str | None) -> Asked:
    if asked.answer.error is not None:
        return replace(asked, verdict=Verdict.ERROR)
    if asked.answer.size > 0:
        return asked
    if may_be_empty is not None:
        return replace(asked, verdict=Verdict.EMPTY_IS_WELL, reason=may_be_empty)
    return replace(asked, verdict=Verdict.EMPTY)
