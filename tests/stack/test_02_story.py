"""The product's story through Traefik: models, predictions, 500 jobs, feedback, quality."""

from datetime import timedelta
from pathlib import Path

import pytest

from mlp import Client, Label
from mlp.clock import now
from tests.models import sign_model
from tests.servers import until
from tests.stack.compose import Compose
from tests.stack.traffic import ROWS, ask

pytestmark = pytest.mark.timeout(300)


def test_500_jobs_are_done_by_the_workers(compose: Compose) -> None:
    body = {"rows": ROWS}
    job_ids = [ask("POST", "/v1/models/sign/jobs", body).json()["id"] for _ in range(500)]

    done = "SELECT count(*) FROM jobs WHERE kind = 'inference.predict' AND state = 'succeeded'"
    until(lambda: int(compose.query(done)[0][0]) >= 500, 120, lambda: str(compose.query(done)))

    shown = ask("GET", f"/v1/jobs/{job_ids[-1]}").json()
    assert shown["state"] == "succeeded"
    assert shown["result"]["predictions"][0]["label"] is True
    hosts = {row[0].split(":")[0] for row in compose.query("SELECT DISTINCT worker_id FROM jobs WHERE worker_id <> ''")}
    api_hosts = {each["ID"][:12] for each in compose.states() if each["Service"] == "api"}
    assert not hosts & api_hosts


def test_waiting_for_a_job_is_answered_by_the_bell(compose: Compose) -> None:
    job = ask("POST", "/v1/models/sign/jobs", {"rows": ROWS}).json()
    answer = ask("GET", f"/v1/jobs/{job['id']}?wait=10")
    assert answer.json()["state"] == "succeeded"
    heard = compose.inside("api", "python", "-c", _METRICS)
    assert 'mlp_notices_total{kind="finished",outcome="heard"}' in heard


def test_promotion_is_seen_within_two_seconds(client: Client, tmp_path: Path) -> None:
    client.models.add("sign", sign_model(tmp_path / "always", bias=100.0))
    until(lambda: client.predict("sign", [{"x": -1.0, "y": -2.0}]).predictions[0].label is False, 2)

    client.models.promote("sign", "2")

    until(lambda: client.predict("sign", [{"x": -1.0, "y": -2.0}]).predictions[0].label is True, 2)
    client.models.rollback("sign")
    until(lambda: client.predict("sign", [{"x": -1.0, "y": -2.0}]).predictions[0].label is False, 2)


def test_labels_become_quality(client: Client) -> None:
    before = now() - timedelta(days=3)
    rows = [{"x": float(number % 7) - 3.0, "y": 0.5} for number in range(200)]
    keys = [f"row-{number}" for number in range(len(rows))]
    for start in range(0, len(rows), 50):
        client.predict("sign", rows[start : start + 50], keys=keys[start : start + 50], at=before)
    labels = [
        Label(row["x"] + row["y"] > 0, key=key, at=before + timedelta(hours=1))
        for row, key in zip(rows, keys, strict=True)
    ]
    until(lambda: len(list(client.inferences("sign", key=keys[-1]))) == 1, 30)
    client.feedback("sign", labels)

    def labelled() -> int:
        return sum(window.labelled for window in client.quality("sign").windows)

    until(lambda: labelled() >= 200, 30)


#: The standard library alone, in the container: its image has no curl.
_METRICS = "import urllib.request as r; print(r.urlopen('http://localhost:4789/metrics', timeout=5).read().decode())"
