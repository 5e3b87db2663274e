"""Prometheus' configuration, its rules and their cases, and that what the rules name exists: metrics, pages, alerts."""

import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlp.deployment.alertmanager import CONSEQUENCES
from mlp.observability.metrics import REGISTRY
from tests.architecture.source_tree import ROOT, module_name, python_files

PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "docs" / "source" / "runbook"
CASES = sorted(PROMETHEUS.joinpath("tests").glob("*.yml"))
RULES = sorted(PROMETHEUS.joinpath("rules").glob("*.yml"))
#: Names of Docker volumes, which look like metrics.
VOLUMES = {"mlp_rabbitmq"}
_METRIC = re.compile(r"\bmlp_[a-z0-9_]+\b")
_RECORDED = re.compile(r"\b[a-z_]+:mlp_[a-z0-9_]+:[a-z0-9_]+\b")


def promtool(*arguments: str | Path) -> None:
    """Runs promtool; fails with what it says."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool (apt-get install prometheus)")
    ran = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, timeout=100, check=False, cwd=PROMETHEUS
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


ALERTS = [rule for rule in rules() if "alert" in rule]
ALERT_NAMES = sorted({rule["alert"] for rule in ALERTS})


def known_metrics() -> set[str]:
    """Every series that the code can show, of all modules that declare metrics."""
    for path in python_files("src/mlp"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"^from mlp\.observability\.metrics import .*(counter|gauge|histogram)", text, re.MULTILINE):
            importlib.import_module(module_name(path))
    # Of a metric with labels the registry shows no sample before there is a value; its names are known all the same.
    return set(REGISTRY._names_to_collectors)


def test_configuration_and_rules_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_not_else(path: Path) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_alert_has_a_case_in_each_severity(name: str) -> None:
    expected = {
        sample["labels"]
        for path in CASES
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for query in case["promql_expr_test"]
        for sample in query["exp_samples"]
    }
    severities = {rule["labels"]["severity"] for rule in ALERTS if rule["alert"] == name}

    assert {f'{{alertname="{name}", severity="{severity}"}}' for severity in severities} <= expected


def test_metrics_that_rules_and_cases_name_exist_in_the_code() -> None:
    texts = [path.read_text(encoding="utf-8") for path in [*RULES, *CASES]]
    named = {name for text in texts for name in _METRIC.findall(_RECORDED.sub("", text))}

    assert sorted(named - known_metrics()) == []


def test_recorded_series_that_rules_and_cases_name_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    texts = [path.read_text(encoding="utf-8") for path in [*RULES, *CASES]]
    named = {name for text in texts for name in _RECORDED.findall(text)}

    assert sorted(named - recorded) == []
    assert all(_RECORDED.fullmatch(name) for name in recorded)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_alert_says_what_is_wrong_with_its_value_and_where_to_read(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert annotations.keys() == {"summary", "description", "runbook"}
    assert "$value" in annotations["description"]
    assert annotations["runbook"] == f"runbook/{rule['alert']}.html"


def test_pages_of_the_runbook_are_those_of_the_alerts() -> None:
    pages = {path.stem for path in RUNBOOK.glob("*.rst")} - {"index"}
    listed = set(
        re.findall(r"^   ([A-Z]\w+)$", RUNBOOK.joinpath("index.rst").read_text(encoding="utf-8"), re.MULTILINE)
    )

    assert sorted(pages) == ALERT_NAMES
    assert sorted(listed) == ALERT_NAMES


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_page_of_an_alert_has_its_meaning_three_commands_with_output_causes_and_fixes(name: str) -> None:
    text = RUNBOOK.joinpath(f"{name}.rst").read_text(encoding="utf-8")
    titles = re.findall(r"^(.+)\n-+$", text, re.MULTILINE)
    looks = text.partition("\nLook\n----\n")[2].partition("\nCauses, ")[0]

    assert text.startswith(f"{name}\n{'=' * len(name)}\n")
    assert titles == ["What it means", "What users notice", "Look", "Causes, and what mends them"]
    assert len(re.findall(r"^   \$ ", looks, re.MULTILINE)) >= 3
    assert looks.count(".. code-block:: console") >= 3


def test_alerts_that_are_silenced_by_others_exist() -> None:
    named = {name for cause, silenced in CONSEQUENCES.items() for name in (cause, *silenced)}

    assert sorted(named - set(ALERT_NAMES)) == []


@pytest.mark.parametrize("path", sorted(RUNBOOK.glob("*.rst")), ids=lambda path: path.stem)
def test_metrics_that_a_page_of_the_runbook_names_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    recorded = {rule["record"] for rule in rules() if "record" in rule}

    named = set(_METRIC.findall(_RECORDED.sub("", text))) - VOLUMES

    assert sorted(set(_RECORDED.findall(text)) - recorded) == []
    assert sorted(named - known_metrics()) == []


def test_queries_of_the_runbook_are_promql(tmp_path: Path) -> None:
    asked = re.compile(r"promtool query instant http://localhost:9090 \\\n\s+'(.*)'\n")
    queries = sorted({query for path in RUNBOOK.glob("*.rst") for query in asked.findall(path.read_text("utf-8"))})
    recorded = [{"record": f"runbook:query_{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": recorded}]}), encoding="utf-8")

    promtool("check", "rules", path)

    assert len(queries) > 20
