"""The dashboards as tests read them: files, panels, queries, and the metrics that they and the code name."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from deploy.grafana.build import FOLDER
from deploy.grafana.builder import Dashboard, Panel, Prometheus
from deploy.grafana.definitions import DASHBOARDS
from tests.architecture.source_tree import parsed, python_files

#: What a histogram is made of, as Prometheus stores it.
_PARTS = re.compile(r"_(bucket|sum|count)$")
_OURS = re.compile(r"(?<![\w:])mlp_[a-z0-9_]+(?![\w:])")
_SELECTOR = re.compile(r"(?<![\w:])(mlp_[a-z0-9_]+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
#: Labels that Prometheus adds, and that of a histogram's buckets.
ADDED_LABELS = frozenset({"job", "instance", "le"})


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as the code declares it."""

    name: str
    kind: str
    labels: frozenset[str]


@cache
def declared_metrics() -> dict[str, Metric]:
    """Every metric that the code declares, wherever it does: read, not imported, so that none depends on a process."""
    found = {}
    for path in python_files("src/mlp"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                name = node.args[0]
                if node.func.id in ("counter", "gauge", "histogram") and isinstance(name, ast.Constant):
                    labels = frozenset(ast.literal_eval(node.args[2])) if len(node.args) > 2 else frozenset()
                    found[str(name.value)] = Metric(str(name.value), node.func.id, labels)
    return found


def document(dashboard: Dashboard) -> dict[str, Any]:
    """The dashboard's file."""
    read: dict[str, Any] = json.loads((FOLDER / f"{dashboard.uid}.json").read_text("utf-8"))
    return read


def panels_of(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The panels of the file, in order."""
    return [panel for panel in document(dashboard)["panels"] if panel["type"] != "row"]


def all_panels() -> list[tuple[Dashboard, Panel]]:
    """Every panel with its dashboard."""
    return [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels]


def expressions() -> Iterator[tuple[Panel, Prometheus]]:
    """Every PromQL query with its panel."""
    for _dashboard, panel in all_panels():
        for query in panel.queries:
            if isinstance(query, Prometheus):
                yield panel, query


def metrics_in(expression: str) -> set[str]:
    """Our metrics that an expression names, a histogram by its own name."""
    known = declared_metrics()
    return {name if name in known else _PARTS.sub("", name) for name in _OURS.findall(expression)}


def labels_in(expression: str) -> set[tuple[str, str]]:
    """(metric, label) of every selector."""
    return {
        (name, label)
        for found, selector in _SELECTOR.findall(expression)
        for name in metrics_in(found)
        for label in _LABEL.findall(selector)
    }
