"""``mlp alerts test`` against a real Alertmanager: what arrives, and what is said when it does not."""

import json
from pathlib import Path

import pytest

from mlp.cli.main import run
from mlp.deployment.alertmanager import NOBODY, alertmanager_config
from tests.alertmanager import MailServer, Webhook, running_alertmanager, serving

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLP_URL", "MLP_FOLDER", "MLP_ALERTMANAGER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
def test_alert_arrives_at_the_webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    with serving(Webhook()) as webhook:
        configuration = alertmanager_config({"ALERT_WEBHOOK_URL": webhook.url})
        with running_alertmanager(tmp_path, configuration) as address:
            monkeypatch.setenv("MLP_ALERTMANAGER_URL", address)

            exit_code = run(["alerts", "test"])
            message = webhook.received.get(timeout=10)

    assert exit_code == 0
    printed = capsys.readouterr().out
    assert f"Alertmanager at {address} took the test alert. It tells webhook at 127.0.0.1." in printed
    assert "webhook: delivered\n" in printed
    (alert,) = message["alerts"]
    assert (message["status"], alert["labels"]["alertname"]) == ("firing", "MLPTestAlert")
    assert alert["annotations"]["summary"] == "This is a test: nothing is wrong"


@pytest.mark.slow
def test_second_alert_arrives_at_once_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    with serving(Webhook()) as webhook:
        configuration = alertmanager_config({"ALERT_WEBHOOK_URL": webhook.url})
        with running_alertmanager(tmp_path, configuration) as address:
            monkeypatch.setenv("MLP_ALERTMANAGER_URL", address)

            exit_codes = [run(["alerts", "test", "--json"])]
            capsys.readouterr()
            exit_codes.append(run(["alerts", "test", "--json"]))
            tests = {webhook.received.get(timeout=10)["commonLabels"]["test"] for _ in exit_codes}

    assert exit_codes == [0, 0]
    assert len(tests) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["deliveries"] == [{"integration": "webhook", "outcome": "delivered"}]


@pytest.mark.slow
def test_alert_arrives_by_email(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    with serving(MailServer()) as mail_server:
        environment = {"ALERT_EMAIL": "ops@example.org", "ALERT_SMTP_HOST": mail_server.host}
        configuration = json.loads(alertmanager_config(environment))
        configuration["global"]["smtp_require_tls"] = False  # as on port 25, which a test may not have
        with running_alertmanager(tmp_path, json.dumps(configuration)) as address:
            monkeypatch.setenv("MLP_ALERTMANAGER_URL", address)

            exit_code = run(["alerts", "test"])
            message = mail_server.received.get(timeout=10)

    assert exit_code == 0
    assert "email: delivered\n" in capsys.readouterr().out
    assert "To: ops@example.org" in message
    assert "MLPTestAlert" in message


@pytest.mark.slow
def test_webhook_that_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    with serving(Webhook(status=403)) as webhook:
        configuration = alertmanager_config({"ALERT_WEBHOOK_URL": webhook.url})
        with running_alertmanager(tmp_path, configuration) as address:
            monkeypatch.setenv("MLP_ALERTMANAGER_URL", address)

            exit_code = run(["alerts", "test"])

    assert exit_code == 1
    assert "webhook: failed: `docker compose logs alertmanager` says why" in capsys.readouterr().out


@pytest.mark.slow
def test_nobody_to_tell_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    with running_alertmanager(tmp_path, alertmanager_config({})) as address:
        monkeypatch.setenv("MLP_ALERTMANAGER_URL", address)

        exit_code = run(["alerts", "test"])

    assert exit_code == 1
    printed = capsys.readouterr().out
    assert f"It tells {NOBODY}." in printed
    assert "set ALERT_WEBHOOK_URL or ALERT_EMAIL in .env" in printed


def test_alertmanager_that_is_away_is_told_with_its_profile(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.setenv("MLP_ALERTMANAGER_URL", "http://127.0.0.1:1")

    assert run(["alerts", "test"]) == 1
    assert "start it with `docker compose --profile alerting up -d`" in capsys.readouterr().err


def test_address_that_is_not_set_is_told(capsys: Printed) -> None:
    assert run(["alerts", "test"]) == 1
    assert "MLP_ALERTMANAGER_URL is not set" in capsys.readouterr().err


def test_server_that_is_not_alertmanager_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    with serving(Webhook()) as webhook:
        monkeypatch.setenv("MLP_ALERTMANAGER_URL", webhook.url.removesuffix("/alerts"))

        assert run(["alerts", "test"]) == 1

    assert "is it Alertmanager?" in capsys.readouterr().err


def test_url_of_a_server_is_no_use(capsys: Printed) -> None:
    assert run(["alerts", "test", "--url", "http://localhost:4789"]) == 2
    assert "leave --url out" in " ".join(capsys.readouterr().err.split())
