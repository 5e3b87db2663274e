"""Asks Prometheus over its HTTP interface, as Grafana's data source does."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import urllib3

from deploy.grafana.checking.answers import Answer, Line, Point
from deploy.grafana.checking.macros import Span

_TIMEOUT_SECONDS = 30.0
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class PrometheusServer:
    """A Prometheus to ask.

    Args:
        url: Its address; a user and a password in it are sent as basic authentication.
        headers: Further headers, such as the host that a proxy in front goes by.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._headers = dict(headers or {})
        if parts.username is not None:
            self._headers |= urllib3.make_headers(basic_auth=f"{parts.username}:{parts.password or ''}")
        host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_SECONDS)

    def ask_range(self, expression: str, legend: str, span: Span) -> Answer:
        """Lines over the span."""
        step = span.interval_seconds
        # Grafana lays its steps on whole multiples, so that a reload shows the same points.
        start, end = (int(moment.timestamp()) // step * step for moment in (span.since, span.until))
        return self._ask("query_range", legend, {"query": expression, "start": start, "end": end, "step": step})

    def ask_instant(self, expression: str, legend: str, span: Span) -> Answer:
        """The newest values, as lines of one point."""
        return self._ask("query", legend, {"query": expression, "time": span.until.timestamp()})

    def label_values(self, metric: str, label: str, span: Span) -> Answer:
        """The values of a metric's label in the span, as rows."""
        fields = {"match[]": metric, "start": span.since.timestamp(), "end": span.until.timestamp()}
        document = self._get(f"label/{label}/values", fields)
        if isinstance(document, str):
            return Answer(error=document)
        return Answer(columns=[label], rows=[[value] for value in document])

    def _ask(self, kind: str, legend: str, fields: dict[str, Any]) -> Answer:
        document = self._get(kind, fields)
        if isinstance(document, str):
            return Answer(error=document)
        lines = [
            Line(_name(legend, series["metric"]), _points(series.get("values") or [series["value"]]))
            for series in document["result"]
        ]
        return Answer(lines=[line for line in lines if line.points])

    def _get(self, path: str, fields: dict[str, Any]) -> Any:
        """The answer's data, or as a text why there is none."""
        try:
            answer = self._pool.request("GET", f"{self._url}/api/v1/{path}", fields=fields, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            return f"Prometheus does not answer: {error}"
        try:
            document = json.loads(answer.data)
        except ValueError:
            return f"Prometheus answered {answer.status} and no JSON"
        if document.get("status") != "success":
            return f"{document.get('errorType')}: {document.get('error')}"
        return document["data"]


def _name(legend: str, labels: Mapping[str, str]) -> str:
    if legend:
        return _LABEL.sub(lambda found: labels.get(found[1], ""), legend)
    shown = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{shown}}}"


def _points(values: list[list[Any]]) -> list[Point]:
    points = ((float(moment), float(value)) for moment, value in values)
    return [point for point in points if math.isfinite(point[1])]
