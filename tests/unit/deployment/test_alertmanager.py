"""What the environment makes of Alertmanager's configuration; whether it is valid, amtool says (tests/deploy)."""

import json
from typing import Any

import pytest

from mlp.deployment.alertmanager import NOBODY, alertmanager_config
from mlp.errors import ConfigurationInvalid

MAIL = {"ALERT_EMAIL": "ops@example.org", "ALERT_SMTP_HOST": "smtp.example.org"}


def configuration(**environment: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(alertmanager_config(environment))
    return document


def test_nothing_set_gives_a_receiver_that_drops() -> None:
    written = configuration(ALERT_WEBHOOK_URL="", ALERT_EMAIL=" ", HOME="/somewhere")

    assert written["receivers"] == [{"name": NOBODY}]
    assert written["route"]["receiver"] == NOBODY


def test_webhook_is_named_by_its_host_alone_since_its_path_may_be_secret() -> None:
    written = configuration(ALERT_WEBHOOK_URL="https://hooks.example.org/T0/secret")

    (receiver,) = written["receivers"]
    assert receiver["name"] == "webhook at hooks.example.org"
    assert receiver["webhook_configs"] == [{"url": "https://hooks.example.org/T0/secret", "send_resolved": True}]


def test_email_goes_through_the_mail_server_with_tls() -> None:
    written = configuration(
        **MAIL, ALERT_SMTP_FROM="mlp@example.org", ALERT_SMTP_USER="mlp", ALERT_SMTP_PASS="correct horse"
    )

    assert written["receivers"][0]["email_configs"] == [{"to": "ops@example.org", "send_resolved": True}]
    assert written["global"] == {
        "resolve_timeout": "5m",
        "smtp_smarthost": "smtp.example.org:587",
        "smtp_from": "mlp@example.org",
        "smtp_require_tls": True,
        "smtp_auth_username": "mlp",
        "smtp_auth_password": "correct horse",
    }


@pytest.mark.parametrize(("port", "is_required"), [("25", False), ("465", False), ("587", True), ("2525", True)])
def test_starttls_is_required_by_port(port: str, is_required: bool) -> None:
    written = configuration(**{**MAIL, "ALERT_SMTP_HOST": f"smtp.example.org:{port}"})

    assert written["global"]["smtp_smarthost"] == f"smtp.example.org:{port}"
    assert written["global"]["smtp_require_tls"] is is_required


def test_first_of_several_addresses_is_the_sender_unless_said() -> None:
    written = configuration(**{**MAIL, "ALERT_EMAIL": "ops@example.org, night@example.org"})

    assert written["global"]["smtp_from"] == "ops@example.org"
    assert written["receivers"][0]["email_configs"][0]["to"] == "ops@example.org, night@example.org"


def test_both_ways_are_one_receiver_of_every_route() -> None:
    written = configuration(ALERT_WEBHOOK_URL="http://hooks.example.org/", **MAIL)

    (receiver,) = written["receivers"]
    routes = [written["route"], *written["route"]["routes"]]
    assert receiver["name"] == "webhook at hooks.example.org, e-mail to ops@example.org"
    assert {route["receiver"] for route in routes} == {receiver["name"]}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"ALERT_WEBHOOK_URL": "hooks.example.org"}, "ALERT_WEBHOOK_URL is not an address"),
        ({"ALERT_WEBHOOK_URL": "ftp://hooks.example.org"}, "ALERT_WEBHOOK_URL is not an address"),
        ({"ALERT_WEBHOOK_URL": "http://[broken/"}, "ALERT_WEBHOOK_URL is not an address"),
        ({"ALERT_EMAIL": "ops@example.org"}, "not ALERT_SMTP_HOST"),
        ({**MAIL, "ALERT_SMTP_HOST": "smtp.example.org:mail"}, "expected host:port, got smtp.example.org:mail"),
        ({**MAIL, "ALERT_SMTP_USER": "mlp"}, "both variables ALERT_SMTP_USER and ALERT_SMTP_PASS"),
    ],
)
def test_value_that_cannot_be_used_names_its_variable(environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=told):
        configuration(**environment)


def test_refusal_shows_no_webhook() -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        configuration(ALERT_WEBHOOK_URL="hooks.example.org/T0/secret")

    assert "secret" not in refused.value.message


def test_alert_that_follows_from_another_is_silenced_by_it() -> None:
    rules = configuration()["inhibit_rules"]

    by_cause = {(rule["source_matchers"][0], rule["target_matchers"][0]): rule for rule in rules}
    (of_database,) = [target for cause, target in by_cause if cause == 'alertname="DatabaseDown"' and "=~" in target]
    assert "DrainFailing" in of_database
    assert by_cause['alertname="DatabaseDown"', 'alertname="TargetDown"']["target_matchers"][1] == 'job=~"postgres"'
    assert by_cause['severity="critical"', 'severity="warning"']["equal"] == ["alertname", "queue", "kind"]
