"""Alertmanager takes the configuration that is written for it, and silences what follows from something else."""

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from mlp.clock import now
from mlp.deployment.alertmanager import alertmanager_config
from tests.alertmanager import running_alertmanager
from tests.servers import until

ENVIRONMENTS = {
    "nothing": {},
    "webhook": {"ALERT_WEBHOOK_URL": "https://hooks.example.org/alerts"},
    "both": {
        "ALERT_WEBHOOK_URL": "http://hooks.example.org/alerts?key=a&b=c",
        "ALERT_EMAIL": "ops@example.org, night@example.org",
        "ALERT_SMTP_HOST": "smtp.example.org:587",
        "ALERT_SMTP_USER": "mlp",
        "ALERT_SMTP_PASS": 'quoted " and $dollar: {{ braces }}',
    },
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_configuration_is_valid(tmp_path: Path, name: str) -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        pytest.skip("needs amtool (apt-get install prometheus-alertmanager)")
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_config(ENVIRONMENTS[name]), encoding="utf-8")

    checked = subprocess.run(
        [amtool, "check-config", str(path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def post(address: str, *labels: dict[str, str]) -> None:
    until_at = (now() + timedelta(minutes=5)).isoformat()
    document = [{"labels": each, "startsAt": now().isoformat(), "endsAt": until_at} for each in labels]
    answer = urllib3.request("POST", f"{address}/api/v2/alerts", json=document, timeout=10)
    assert answer.status == 200, answer.data


def silenced(address: str) -> set[str]:
    """Names of the alerts that nobody is told of, because of others."""
    found: list[dict[str, Any]] = json.loads(urllib3.request("GET", f"{address}/api/v2/alerts", timeout=10).data)
    return {
        alert["labels"]["alertname"] + "/" + alert["labels"].get("job", "")
        for alert in found
        if alert["status"]["inhibitedBy"]
    }


@pytest.mark.slow
def test_what_follows_from_the_database_is_silenced_and_nothing_else(tmp_path: Path) -> None:
    with running_alertmanager(tmp_path, alertmanager_config({})) as address:
        post(
            address,
            {"alertname": "DatabaseDown", "severity": "critical"},
            {"alertname": "DrainFailing", "severity": "warning", "reason": "database_unavailable"},
            {"alertname": "QueueAge", "severity": "critical", "queue": "mlp.high"},
            {"alertname": "TargetDown", "severity": "warning", "job": "postgres"},
            {"alertname": "TargetDown", "severity": "warning", "job": "traefik"},
            {"alertname": "AvailabilityBudgetBurn", "severity": "critical", "burn": "14.4"},
            {"alertname": "RecordingDropped", "severity": "critical", "reason": "spool"},
        )

        # What silences is found out when an alert is asked for or about to be sent, soon after it came.
        until(lambda: len(silenced(address)) == 3, 20, lambda: str(silenced(address)))

        assert silenced(address) == {"DrainFailing/", "QueueAge/", "TargetDown/postgres"}


@pytest.mark.slow
def test_warning_is_silenced_by_the_same_alert_that_is_critical_for_the_same_queue(tmp_path: Path) -> None:
    with running_alertmanager(tmp_path, alertmanager_config({})) as address:
        post(
            address,
            {"alertname": "QueueAge", "severity": "critical", "queue": "mlp.high"},
            {"alertname": "QueueAge", "severity": "warning", "queue": "mlp.high", "job": "silenced"},
            {"alertname": "QueueAge", "severity": "warning", "queue": "mlp.low", "job": "told"},
        )

        until(lambda: bool(silenced(address)), 20)

        assert silenced(address) == {"QueueAge/silenced"}
