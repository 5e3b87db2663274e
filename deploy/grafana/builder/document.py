"""Turns dashboards into Grafana's classic JSON: grid, panels, targets, variables, annotations.

Source: the interfaces of the npm package @grafana/schema 13.2.3, against which a test holds the result.
"""

import json
from collections.abc import Iterator
from typing import Any

from deploy.grafana.builder.elements import (
    GRID_COLUMNS,
    Annotation,
    Dashboard,
    Panel,
    Postgres,
    Query,
    Row,
    Variable,
    Visual,
)
from deploy.grafana.builder.looks import field_config, options_of

#: Grafana 11 writes 39; later ones read it and bring it up to their own.
SCHEMA_VERSION = 39
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "postgres"}
_GRAFANA = {"type": "grafana", "uid": "-- Grafana --"}
_TAG = "mlp"
#: A query draws no more points than this: a panel is hardly wider in dots.
_POINTS_MAX = 500

Document = dict[str, Any]


def text_of(dashboard: Dashboard) -> str:
    """The file's text; the same for the same dashboard, so that a difference is a change."""
    return json.dumps(document_of(dashboard), indent=2, ensure_ascii=False) + "\n"


def document_of(dashboard: Dashboard) -> Document:
    """The dashboard as Grafana reads it."""
    return {
        "annotations": {"list": [_own_annotation(), *map(_annotation, dashboard.annotations)]},
        "description": dashboard.description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [_link()],
        "panels": list(_panels(dashboard.rows)),
        "refresh": dashboard.refresh,
        "schemaVersion": SCHEMA_VERSION,
        "tags": [_TAG],
        "templating": {"list": [_variable(variable) for variable in dashboard.variables]},
        "time": {"from": dashboard.time_from, "to": "now"},
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m", "15m", "1h"]},
        "timezone": "browser",
        "title": dashboard.title,
        "uid": dashboard.uid,
        "version": 1,
        "weekStart": "monday",
    }


def _panels(rows: tuple[Row, ...]) -> Iterator[Document]:
    """Row headings and panels with their places, packed from the left; panels are numbered through from 1."""
    top, number = 0, 1
    for place, row in enumerate(rows):
        heading = {
            "collapsed": row.is_collapsed,
            "gridPos": {"h": 1, "w": GRID_COLUMNS, "x": 0, "y": top},
            # Behind all numbers of panels, so that a new panel moves no heading's number and none another's.
            "id": 1000 + place,
            "panels": [],
            "title": row.title,
            "type": "row",
        }
        placed, bottom = _placed(row.panels, top + 1)
        inside = [_panel(panel, number + offset, at) for offset, (panel, at) in enumerate(placed)]
        number += len(inside)
        if row.is_collapsed:
            heading["panels"] = inside
            yield heading
            top += 1
        else:
            yield heading
            yield from inside
            top = bottom


def _placed(panels: tuple[Panel, ...], top: int) -> tuple[list[tuple[Panel, dict[str, int]]], int]:
    placed, left, line_height = [], 0, 0
    for panel in panels:
        if left + panel.width > GRID_COLUMNS:
            top, left, line_height = top + line_height, 0, 0
        placed.append((panel, {"h": panel.height, "w": panel.width, "x": left, "y": top}))
        left, line_height = left + panel.width, max(line_height, panel.height)
    return placed, top + line_height


def _panel(panel: Panel, number: int, place: dict[str, int]) -> Document:
    targets = [_target(query, chr(ord("A") + index), panel.visual) for index, query in enumerate(panel.queries)]
    document: Document = {
        "datasource": targets[0]["datasource"],
        "description": panel.description,
        "fieldConfig": field_config(panel),
        "gridPos": place,
        "id": number,
        "maxDataPoints": _POINTS_MAX,
        "options": options_of(panel),
        "targets": targets,
        "title": panel.title,
        "type": panel.visual.value,
    }
    if panel.last is not None:
        document["timeFrom"] = panel.last
    return document


def _target(query: Query, name: str, visual: Visual) -> Document:
    if isinstance(query, Postgres):
        return _sql_target(query.sql, query.format.value, name)
    return {
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": query.expression,
        "format": "table" if visual is Visual.TABLE else "time_series",
        "instant": query.is_instant,
        "legendFormat": query.legend,
        "range": not query.is_instant,
        "refId": name,
    }


def _sql_target(sql: str, form: str, name: str) -> Document:
    return {
        "datasource": POSTGRES,
        "editorMode": "code",
        "format": form,
        "rawQuery": True,
        "rawSql": sql,
        "refId": name,
    }


def _variable(variable: Variable) -> Document:
    return {
        "datasource": PROMETHEUS,
        "description": variable.description,
        # No value of its own for "all": Grafana then puts in every value, each quoted as the query needs it.
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "label": variable.title,
        "multi": True,
        "name": variable.name,
        "options": [],
        "query": {
            "qryType": 1,
            "query": f"label_values({variable.metric},{variable.label})",
            "refId": "PrometheusVariableQueryEditor-VariableQuery",
        },
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "type": "query",
    }


def _own_annotation() -> Document:
    return {
        "builtIn": 1,
        "datasource": _GRAFANA,
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def _annotation(annotation: Annotation) -> Document:
    # The four members that the schema asks of a target are those of Grafana's own annotations; a data source's query
    # stands beside them.
    own = {"limit": 100, "matchAny": False, "tags": [], "type": "tags"}
    return {
        "datasource": POSTGRES,
        "enable": True,
        "iconColor": annotation.colour,
        "name": annotation.name,
        "target": {**own, **_sql_target(annotation.sql, "table", "Anno")},
    }


def _link() -> Document:
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": [_TAG],
        "targetBlank": False,
        "title": "MLP",
        "tooltip": "The other dashboards, at the same time",
        "type": "dashboards",
        "url": "",
    }
