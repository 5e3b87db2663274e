"""Alertmanager's configuration, written from the environment, since Alertmanager itself expands no variables.

The text is JSON, which every reader of YAML takes. What is said here holds for Alertmanager 0.22 and later, which
introduced ``matchers`` (prometheus.io/docs/alerting/latest/configuration).
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mlp.errors import ConfigurationInvalid

#: The receiver's name where nobody is to be told; ``mlp alerts test`` recognises it.
NOBODY = "nobody: neither ALERT_WEBHOOK_URL nor ALERT_EMAIL is set"
#: What ``mlp alerts test`` sends: routed past all grouping, so that it arrives at once.
TEST_ALERT = "MLPTestAlert"

_SUBMISSION_PORT = "587"
#: On 25 a relay of one's own network seldom offers TLS; on 465 the connection is TLS from its first byte. On all
#: others Alertmanager asks for STARTTLS and refuses to send without.
_PORTS_WITHOUT_STARTTLS = frozenset({"25", "465"})

#: While the first of these fires, nobody is told of the others: they follow from it.
CONSEQUENCES: dict[str, tuple[str, ...]] = {
    "DatabaseDown": (
        *("DrainFailing", "SpoolGrowing", "JobsUnpublished", "QueueAge", "QueueNobodyTakes", "QueueWithoutConsumer"),
        *("WorkersGone", "FencedResults", "JobsFailing", "NoPeriodicLeader", "PeriodicWorkFailing", "TraefikErrors"),
    ),
    "BrokerDown": ("JobsUnpublished", "PublishFailures", "QueueAge", "QueueWithoutConsumer"),
    "RabbitMQAlarm": ("JobsUnpublished", "PublishFailures", "QueueAge"),
    "WorkersGone": ("QueueNobodyTakes", "QueueAge", "QueueWithoutConsumer", "NoPeriodicLeader", "RabbitMQQueueGrowth"),
    "ApiGone": ("TraefikErrors", "AvailabilityBudgetBurn", "LatencyBudgetBurn"),
    "SpoolNearLimit": ("SpoolGrowing",),
    "DiskNearlyFull": ("DiskFilling",),
}
#: Targets of Prometheus that are down because of what the alert says.
_TARGETS_OF = {
    "DatabaseDown": "postgres",
    "BrokerDown": "rabbitmq|rabbitmq-queues",
    "CacheDown": "redis",
    "WorkersGone": "worker",
    "ApiGone": "api",
}


def alertmanager_config(environment: Mapping[str, str]) -> str:
    """The configuration as JSON text: who is told by which way, what is grouped, and what silences what.

    Args:
        environment: Of it are read ``ALERT_WEBHOOK_URL``, ``ALERT_EMAIL`` (several addresses with commas between
            them), ``ALERT_SMTP_HOST`` (``host:port``; 587 unless said), ``ALERT_SMTP_FROM`` (the first address
            of ALERT_EMAIL unless said), ``ALERT_SMTP_USER`` and ``ALERT_SMTP_PASS``. Empty is the same as not set.

    Raises:
        ConfigurationInvalid: A value cannot be used; the message names its variable.
    """
    given = {name: value.strip() for name, value in environment.items() if name.startswith("ALERT_") and value.strip()}
    receiver, mail_server = _receiver(given)
    configuration = {
        "global": {"resolve_timeout": "5m", **mail_server},
        "route": _route(receiver["name"]),
        "inhibit_rules": _inhibit_rules(),
        "receivers": [receiver],
    }
    return json.dumps(configuration, indent=2) + "\n"


def _receiver(given: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """One receiver with every way that is set, named after them, and the global settings that e-mail needs."""
    receiver: dict[str, Any] = {}
    ways = []
    mail_server: dict[str, Any] = {}
    if "ALERT_WEBHOOK_URL" in given:
        url = given["ALERT_WEBHOOK_URL"]
        # The host alone: the path of a webhook often is its secret.
        ways.append(f"webhook at {_host_of(url)}")
        receiver["webhook_configs"] = [{"url": url, "send_resolved": True}]
    if "ALERT_EMAIL" in given:
        ways.append(f"e-mail to {given['ALERT_EMAIL']}")
        mail_server = _mail_server(given)
        receiver["email_configs"] = [{"to": given["ALERT_EMAIL"], "send_resolved": True}]
    return {"name": ", ".join(ways) if ways else NOBODY, **receiver}, mail_server


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationInvalid(
            "the variable ALERT_WEBHOOK_URL is not an address such as https://hooks.example.org/alerts"
        )
    return parts.hostname


def _mail_server(given: Mapping[str, str]) -> dict[str, Any]:
    if "ALERT_SMTP_HOST" not in given:
        raise ConfigurationInvalid(
            "the variable ALERT_EMAIL is set, but not ALERT_SMTP_HOST: name the mail server, such as "
            "smtp.example.org:587"
        )
    host, colon, port = given["ALERT_SMTP_HOST"].rpartition(":")
    if not colon:
        host, port = given["ALERT_SMTP_HOST"], _SUBMISSION_PORT
    if not port.isdigit() or not host:
        raise ConfigurationInvalid(
            f"the variable ALERT_SMTP_HOST is wrong: expected host:port, got {given['ALERT_SMTP_HOST']}"
        )
    if ("ALERT_SMTP_USER" in given) != ("ALERT_SMTP_PASS" in given):
        raise ConfigurationInvalid("set both variables ALERT_SMTP_USER and ALERT_SMTP_PASS, or neither")
    settings: dict[str, Any] = {
        "smtp_smarthost": f"{host}:{port}",
        "smtp_from": given.get("ALERT_SMTP_FROM", given["ALERT_EMAIL"].partition(",")[0].strip()),
        "smtp_require_tls": port not in _PORTS_WITHOUT_STARTTLS,
    }
    if "ALERT_SMTP_USER" in given:
        settings["smtp_auth_username"] = given["ALERT_SMTP_USER"]
        settings["smtp_auth_password"] = given["ALERT_SMTP_PASS"]
    return settings


def _route(receiver: str) -> dict[str, Any]:
    """Critical alerts are said at once and again every hour; warnings wait for each other, and come twice a day."""
    return {
        "receiver": receiver,
        "group_by": ["alertname"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [
            # "..." groups by all labels: each test is a group of its own, which nothing holds back.
            {"matchers": [f'alertname="{TEST_ALERT}"'], "receiver": receiver, "group_by": ["..."], "group_wait": "0s"},
            {
                "matchers": ['severity="critical"'],
                "receiver": receiver,
                "group_wait": "10s",
                "group_interval": "1m",
                "repeat_interval": "1h",
            },
            # One message for all warnings of some minutes.
            {"matchers": ['severity="warning"'], "receiver": receiver, "group_by": ["severity"], "group_wait": "1m"},
        ],
    }


def _inhibit_rules() -> list[dict[str, Any]]:
    of_alerts = [
        _inhibit(cause, f'alertname=~"{"|".join(silenced)}"', equal=["job"] if cause == "DiskNearlyFull" else [])
        for cause, silenced in CONSEQUENCES.items()
    ]
    of_targets = [
        _inhibit(cause, 'alertname="TargetDown"', f'job=~"{targets}"') for cause, targets in _TARGETS_OF.items()
    ]
    of_one_queue = _inhibit("QueueNobodyTakes", 'alertname=~"QueueAge|QueueWithoutConsumer"', equal=["queue"])
    # The same alert in both severities; a label that both lack counts as equal.
    of_one_alert = {
        "source_matchers": ['severity="critical"'],
        "target_matchers": ['severity="warning"'],
        "equal": ["alertname", "queue", "kind"],
    }
    return [*of_alerts, *of_targets, of_one_queue, of_one_alert]


def _inhibit(cause: str, *silenced: str, equal: list[str] | None = None) -> dict[str, Any]:
    return {
        "source_matchers": [f'alertname="{cause}"'],
        "target_matchers": list(silenced),
        "equal": [] if equal is None else equal,
    }
