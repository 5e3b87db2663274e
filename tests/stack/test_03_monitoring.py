"""Prometheus sees every part and every replica; every query of every dashboard has an answer; an alert arrives."""

import base64
import json
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.servers import until
from tests.stack.compose import ROOT, Compose
from tests.stack.traffic import Traffic

pytestmark = pytest.mark.timeout(600)
_ADMIN = {"Authorization": "Basic " + base64.b64encode(b"admin:grafana").decode(), "Host": "prometheus.localhost"}
#: What Prometheus asks without any profile.
_JOBS = {"api", "worker", "rabbitmq", "rabbitmq-queues", "traefik", "prometheus"}


def _prometheus(path: str, **parameters: str) -> Any:
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    answer = urllib3.request("GET", f"http://localhost/api/v1/{path}{query}", headers=_ADMIN, timeout=10, retries=False)
    assert answer.status == 200, answer.data
    return answer.json()["data"]


def targets() -> dict[str, list[str]]:
    """The health of each job's targets."""
    found: dict[str, list[str]] = {}
    for target in _prometheus("targets", state="active")["activeTargets"]:
        found.setdefault(target["labels"]["job"], []).append(target["health"])
    return found


def test_every_target_is_up() -> None:
    until(
        lambda: {name for name, health in targets().items() if set(health) == {"up"}} >= _JOBS,
        60,
        lambda: str(targets()),
    )
    assert {health for each in targets().values() for health in each} == {"up"}


def test_profiles_bring_their_targets(compose: Compose) -> None:
    compose("--profile", "exporters", "--profile", "alerting", "up", "--detach", "--wait", timeout_seconds=240)

    def have_come() -> bool:
        found = targets()
        return all(found.get(name) == ["up"] for name in ("postgres", "redis", "alertmanager"))

    until(have_come, 60, lambda: str(targets()))


def test_rules_are_loaded_and_healthy() -> None:
    def are_evaluated() -> bool:
        groups = _prometheus("rules")["groups"]
        health = [rule["health"] for group in groups for rule in group["rules"]]
        return len(health) > 20 and set(health) == {"ok"}

    until(are_evaluated, 90)


def test_alert_reaches_alertmanager(compose: Compose) -> None:
    printed = compose.inside("api", "mlp", "alerts", "test", check=False)
    seen = compose.inside("alertmanager", "wget", "-q", "-O", "-", "http://127.0.0.1:9093/api/v2/alerts")
    assert "Test" in seen, printed


def test_every_query_of_every_dashboard_is_answered(
    compose: Compose, results_folder: Path | None, tmp_path: Path
) -> None:
    with Traffic(has_labels=True):
        until(lambda: _prometheus("query", query="sum(rate(mlp_http_requests_total[1m])) > 5")["result"] != [], 120)
        _wait_for_scrapes()
        results = tmp_path / "panels.json"
        forwarded = _forward(compose)
        printed = compose.run(
            sys.executable,
            str(ROOT / "deploy" / "grafana" / "check_panels.py"),
            *forwarded,
            "--results",
            str(results),
            timeout_seconds=180,
        )
    print(printed)
    if results_folder is not None:
        (results_folder / "panels.json").write_text(results.read_text())


def _wait_for_scrapes() -> None:
    enough = "count_over_time(up{job='api'}[5m]) > 8"
    until(lambda: _prometheus("query", query=enough)["result"] != [], 150)


def _forward(compose: Compose) -> list[str]:
    """Prometheus by Traefik's address would need its password: the containers' own addresses are reached from here."""
    addresses = {}
    for service in ("prometheus", "database"):
        container = next(each["ID"] for each in compose.states() if each["Service"] == service)
        networks = json.loads(
            compose.run("docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", container)
        )
        addresses[service] = networks["mlp_mlpnet"]["IPAddress"]
    reader = f"postgresql://mlp_reader:grafana@{addresses['database']}/mlpdb"
    return ["--prometheus", f"http://{addresses['prometheus']}:9090", "--database", reader]
