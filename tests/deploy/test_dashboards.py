"""The dashboards hold what an operator needs: Grafana's own schema, metrics that exist, words, units, colours."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from deploy.grafana import build
from deploy.grafana.builder import Dashboard, Need, Panel, Postgres, Prometheus, Unit, Visual
from deploy.grafana.builder.document import POSTGRES, PROMETHEUS
from deploy.grafana.builder.elements import GRID_COLUMNS
from deploy.grafana.definitions import DASHBOARDS, UNSHOWN_METRICS
from deploy.grafana.derive_schema import SCHEMA
from mlp.deployment.reader import READER_ROLE
from tests.architecture.source_tree import ROOT
from tests.deploy.dashboards import (
    ADDED_LABELS,
    all_panels,
    declared_metrics,
    document,
    expressions,
    labels_in,
    metrics_in,
    panels_of,
)

GRAFANA = ROOT / "deploy" / "grafana"
SCHEMAS = json.loads(SCHEMA.read_text("utf-8"))
PANELS = all_panels()
#: Gauges of what all replicas share, the database's rows and the spool's volume: a sum would count it several times.
SHARED = (
    *("mlp_jobs", "mlp_jobs_oldest_queued_seconds", "mlp_jobs_unpublished", "mlp_workers", "mlp_queue_workers"),
    *("mlp_jobs_retrying", "mlp_jobs_failed_last_hour"),
    "mlp_recorder_spool_bytes",
)

by_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
by_panel = pytest.mark.parametrize(
    ("dashboard", "panel"), PANELS, ids=[f"{dashboard.uid}: {panel.title}" for dashboard, panel in PANELS]
)


def refusals(schema: dict[str, Any], value: Any) -> list[str]:
    """What Grafana's schema says against a value, but for the query that a data source's annotation holds.

    The schema knows Grafana's own annotations only, whose four members ours have too.
    """
    return [
        f"{list(error.absolute_path)}: {error.message[:200]}"
        for error in jsonschema.Draft7Validator(schema).iter_errors(value)
        if not (error.validator == "additionalProperties" and list(error.absolute_path)[-1:] == ["target"])
    ]


def test_files_are_as_the_definitions_say() -> None:
    assert [path.name for path in build.stale_files()] == [], "run: python -m deploy.grafana.build"


def test_build_writes_files_and_removes_those_that_no_definition_knows(tmp_path: Path) -> None:
    (tmp_path / "mlp-service.json").write_text("{}", encoding="utf-8")
    (tmp_path / "renamed.json").write_text("{}", encoding="utf-8")

    before = {path.name for path in build.stale_files(tmp_path)}
    build.write(tmp_path)

    assert before == {"renamed.json", *(f"{dashboard.uid}.json" for dashboard in DASHBOARDS)}
    assert build.stale_files(tmp_path) == []
    assert not (tmp_path / "renamed.json").exists()


@by_dashboard
def test_dashboard_is_one_by_grafanas_schema(dashboard: Dashboard) -> None:
    assert refusals(SCHEMAS["dashboard"], document(dashboard)) == []


@by_dashboard
def test_options_of_panels_are_those_of_grafanas_schema(dashboard: Dashboard) -> None:
    refused = []
    for panel in panels_of(dashboard):
        schemas = SCHEMAS["panels"][panel["type"]]
        refused += refusals(schemas["options"], panel["options"])
        custom = panel["fieldConfig"]["defaults"]["custom"]
        refused += refusals(schemas["custom"], custom) if "custom" in schemas else [repr(custom)] * bool(custom)

    assert refused == []


@pytest.mark.parametrize(
    "wrong",
    [{"schemaVersoin": 39}, {"graphTooltip": 7}, {"panels": [{"type": "stat", "titel": "x"}]}, {"refresh": 30}],
    ids=str,
)
def test_schema_refuses_what_is_wrong(wrong: dict[str, Any]) -> None:
    assert refusals(SCHEMAS["dashboard"], document(DASHBOARDS[0]) | wrong) != []


def test_uids_and_titles_are_the_promised_ones() -> None:
    assert {dashboard.uid: dashboard.title for dashboard in DASHBOARDS} == {
        "mlp-service": "Service",
        "mlp-queue": "Queue and workers",
        "mlp-models": "Models",
        "mlp-infrastructure": "Infrastructure",
    }


@by_dashboard
def test_panels_have_different_titles_and_places(dashboard: Dashboard) -> None:
    titles = [panel.title for panel in dashboard.panels]
    places = [panel["gridPos"] for panel in document(dashboard)["panels"]]

    overlapping = [
        (one, other)
        for one, other in combinations(places, 2)
        if one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
    ]  # fmt: skip

    assert len(set(titles)) == len(titles)
    assert all(place["x"] + place["w"] <= GRID_COLUMNS for place in places)
    assert overlapping == []
    assert len({panel["id"] for panel in document(dashboard)["panels"]}) == len(places)


@by_panel
def test_panel_says_what_it_means_and_how_it_is_measured(dashboard: Dashboard, panel: Panel) -> None:
    assert panel.title
    assert len(panel.description) >= 30
    assert panel.description.endswith(".")
    assert panel.unit in Unit
    assert panel.queries
    assert (Need.EXPORTERS in panel.needs) == ("profile exporters" in panel.title)


@by_panel
def test_legends_name_no_ids_and_are_there_where_lines_are(dashboard: Dashboard, panel: Panel) -> None:
    for query in panel.queries:
        if isinstance(query, Prometheus):
            assert query.legend
            assert not re.search(r"\{\{(\w*id|instance|pid|pod)\}\}", query.legend)
        elif panel.visual is Visual.LINES:
            assert re.search(r'AS "time"', query.sql)
            assert "ORDER BY 1" in query.sql


@by_panel
def test_rows_of_tables_are_bounded(dashboard: Dashboard, panel: Panel) -> None:
    for query in panel.queries:
        if isinstance(query, Postgres) and panel.visual is Visual.TABLE:
            assert re.search(r"LIMIT \d+$", query.sql)


def test_every_metric_that_a_panel_names_is_in_the_code_with_its_labels() -> None:
    known = declared_metrics()

    unknown = {name for _panel, query in expressions() for name in metrics_in(query.expression) if name not in known}
    labels = {pair for _panel, query in expressions() for pair in labels_in(query.expression)}
    strange = {f"{name}: {label}" for name, label in labels if label not in known[name].labels | ADDED_LABELS}

    assert unknown == set()
    assert strange == set()


def test_labels_of_legends_are_those_that_the_query_keeps() -> None:
    strays = [
        f"{panel.title}: {label}"
        for panel, query in expressions()
        for label in re.findall(r"\{\{(\w+)\}\}", query.legend)
        if not re.search(rf"by \([^)]*\b{label}\b[^)]*\)", query.expression)
    ]

    assert strays == []


def test_every_metric_of_the_code_is_on_a_panel_or_left_out_with_a_reason() -> None:
    shown = {name for _panel, query in expressions() for name in metrics_in(query.expression)}

    assert declared_metrics().keys() - shown - UNSHOWN_METRICS.keys() == set()
    assert UNSHOWN_METRICS.keys() & shown == set()
    assert all(len(reason) > 10 for reason in UNSHOWN_METRICS.values())


def test_counters_are_shown_by_their_rate_and_what_replicas_share_by_its_greatest() -> None:
    counters = {name for name, metric in declared_metrics().items() if metric.kind == "counter"}
    wrong = []
    for panel, query in expressions():
        for found in re.finditer(r"(?<![\w:])(mlp_[a-z0-9_]+)(\{[^}]*\})?(\[\$__rate_interval\])?", query.expression):
            is_rate = found[3] is not None
            before = query.expression[: found.start()]
            if is_rate != (found[1] in counters or found[1].endswith(("_bucket", "_sum", "_count"))):
                wrong.append(f"{panel.title}: {found[1]}")
            if found[1] in SHARED and not re.search(r"max ?(by \([^)]*\) )?\($", before):
                wrong.append(f"{panel.title}: {found[1]}")

    assert wrong == []


@by_dashboard
def test_queries_go_to_the_data_sources_that_are_provisioned(dashboard: Dashboard) -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/mlp.yml").read_text("utf-8"))["datasources"]
    provisioned = [{"type": source["type"], "uid": source["uid"]} for source in sources]
    asked = [target["datasource"] for panel in panels_of(dashboard) for target in panel["targets"]]
    read = document(dashboard)
    asked += [each["datasource"] for each in [*read["annotations"]["list"][1:], *read["templating"]["list"]]]

    assert provisioned == [PROMETHEUS, POSTGRES]
    assert all(source in provisioned for source in asked)


def test_provisioning_reads_as_the_read_only_role_and_expands_variables_once() -> None:
    text = (GRAFANA / "provisioning/datasources/mlp.yml").read_text("utf-8")
    (postgres,) = [each for each in yaml.safe_load(text)["datasources"] if each["uid"] == "postgres"]

    assert postgres["user"] == READER_ROLE
    assert postgres["secureJsonData"] == {"password": "$GRAFANA_DATABASE_PASS"}
    assert postgres["url"] == "$DATABASE_HOST:5432"
    assert postgres["jsonData"]["database"] == "$DATABASE_SCHEMA"
    # Grafana expands ${NAME} twice, so that a $ inside a password would be lost; and refuses to start on prune.
    assert "${" not in text
    assert "prune" not in yaml.safe_load(text)


def test_dashboards_are_read_from_the_folder_that_is_mounted() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/mlp.yml").read_text("utf-8"))["providers"]

    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["allowUiUpdates"] is False
