"""``mlp alerts``: sends a test alert through Alertmanager, and says whom it reached."""

import re
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from mlp.cli.output import listed
from mlp.cli.session import Session
from mlp.errors import ConfigurationInvalid, ServerUnreachable, Unavailable

if TYPE_CHECKING:
    from mlp.client.transport import Transport

#: A mail server may take its time; a webhook answers within a second.
DELIVERY_SECONDS_MAX = 20.0
_LOOK_AGAIN_SECONDS = 0.1
_ANSWER_SECONDS_MAX = 5.0
#: After it Alertmanager takes the alert for resolved, and says so to whoever was told.
_LASTS = timedelta(minutes=1)

_START = "docker compose --profile alerting up -d"
# Alertmanager's own counters, by integration; further labels may stand beside it.
_REQUESTS = re.compile(
    r'^alertmanager_notification_requests(?P<failed>_failed)?_total\{[^}]*integration="(?P<integration>\w+)"[^}]*\}'
    r" (?P<value>\S+)$",
    re.MULTILINE,
)
# How deployment/alertmanager.py names its receiver, and what Alertmanager calls each way.
_WAYS = {"webhook at ": "webhook", "e-mail to ": "email"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the test alert by one way.

    Attributes:
        integration: As Alertmanager calls the way: ``webhook``, ``email``.
        outcome: ``delivered``, ``failed``, or ``not sent`` when nothing was tried in time.
    """

    integration: str
    outcome: str


def test(session: Session) -> None:
    """Send a test alert through Alertmanager, and say whom it reached.

    It goes the way of a real alert, past the grouping. The exit code is 1 if nobody was told, or not by every way.
    """
    from mlp.client import HTTPTransport

    session.refuse_url("the alert goes to Alertmanager, which MLP_ALERTMANAGER_URL names")
    address = session.settings.alertmanager_url
    if address is None:
        raise ConfigurationInvalid(
            "the variable MLP_ALERTMANAGER_URL is not set: in the stack it is, so run "
            '"docker compose exec api mlp alerts test" there'
        )
    with closing(HTTPTransport(address)) as alertmanager, session.output.progress("waiting for the delivery"):
        before = _requests(alertmanager)
        _post(alertmanager)
        receivers = _receivers(alertmanager)
        deliveries = [] if _is_for_nobody(receivers) else _deliveries(alertmanager, before, _expected(receivers))
    _report(session, address, receivers, deliveries)
    if not deliveries or any(delivery.outcome != "delivered" for delivery in deliveries):
        raise typer.Exit(1)


def _post(alertmanager: "Transport") -> None:
    import msgspec

    from mlp.clock import new_id, now
    from mlp.deployment.alertmanager import TEST_ALERT

    at = now()
    alert = {
        # The id makes it a group of its own, so that a test soon after another is not held back.
        "labels": {"alertname": TEST_ALERT, "severity": "critical", "test": new_id()},
        "annotations": {
            "summary": "This is a test: nothing is wrong",
            "description": 'Somebody ran "mlp alerts test" to see whether alerts arrive here.',
            "runbook": "howto/alerts.html",
        },
        "startsAt": at.isoformat(),
        "endsAt": (at + _LASTS).isoformat(),
    }
    _ask(alertmanager, "POST", "/api/v2/alerts", [msgspec.to_builtins(alert)])


def _receivers(alertmanager: "Transport") -> list[str]:
    """Whom Alertmanager tells of the alert, by the names in its configuration."""
    import msgspec

    from mlp.deployment.alertmanager import TEST_ALERT

    found = msgspec.json.decode(
        _ask(alertmanager, "GET", "/api/v2/alerts", query={"filter": f'alertname="{TEST_ALERT}"'})
    )
    return sorted({receiver["name"] for alert in found for receiver in alert["receivers"]})


def _is_for_nobody(receivers: list[str]) -> bool:
    from mlp.deployment.alertmanager import NOBODY

    return receivers == [NOBODY]


def _expected(receivers: list[str]) -> set[str]:
    return {way for name in receivers for words, way in _WAYS.items() if words in name}


def _deliveries(alertmanager: "Transport", before: Counter[str], expected: set[str]) -> list[Delivery]:
    """What became of the alert, once every way has been tried or the time is over."""
    from mlp.clock import monotonic

    deadline = monotonic() + DELIVERY_SECONDS_MAX
    while True:
        grown = _requests(alertmanager) - before
        tried = {key for key in grown if not key.endswith("_failed")}
        is_complete = bool(tried) and expected <= tried
        if is_complete or monotonic() > deadline:
            return [Delivery(way, _outcome(way, grown)) for way in sorted(expected | tried)]
        time.sleep(_LOOK_AGAIN_SECONDS)


def _outcome(way: str, grown: Counter[str]) -> str:
    if grown[way] == 0:
        return "not sent"
    return "failed" if grown[f"{way}_failed"] > 0 else "delivered"


def _requests(alertmanager: "Transport") -> Counter[str]:
    """Messages tried by each way since Alertmanager started, and under ``<way>_failed`` those that failed."""
    counts: Counter[str] = Counter()
    for found in _REQUESTS.finditer(_ask(alertmanager, "GET", "/metrics").decode()):
        counts[found["integration"] + (found["failed"] or "")] += int(float(found["value"]))
    return counts


def _ask(
    alertmanager: "Transport", method: str, path: str, document: Any = None, query: dict[str, str] | None = None
) -> bytes:
    import msgspec

    try:
        answer = alertmanager.send(
            method,
            path,
            query={} if query is None else query,
            body=None if document is None else msgspec.json.encode(document),
            headers={} if document is None else {"Content-Type": "application/json"},
            timeout_seconds=_ANSWER_SECONDS_MAX,
        )
    except ServerUnreachable as error:
        raise ServerUnreachable(
            f"Alertmanager does not answer at {alertmanager.address}: start it with `{_START}`"
        ) from error
    if answer.status != 200:
        raise Unavailable(
            f"{alertmanager.address} answered {method} {path} with {answer.status}: is it Alertmanager? "
            "MLP_ALERTMANAGER_URL names it"
        )
    return answer.body


def _report(session: Session, address: str, receivers: list[str], deliveries: list[Delivery]) -> None:
    if session.output.is_json:
        session.output.json({"alertmanager": address, "receivers": receivers, "deliveries": deliveries})
        return
    session.output.line(f"Alertmanager at {address} took the test alert. It tells {listed(receivers)}.")
    if not deliveries:
        session.output.line(
            "Nobody will ever be woken: set ALERT_WEBHOOK_URL or ALERT_EMAIL in .env, then "
            f"`{_START} --force-recreate prepare alertmanager`"
        )
    for delivery in deliveries:
        remedy = "" if delivery.outcome == "delivered" else ": `docker compose logs alertmanager` says why"
        session.output.line(f"{delivery.integration}: {delivery.outcome}{remedy}")
    if deliveries:
        session.output.line("A second message, that the alert is over, follows within ten minutes.")
