"""Build, start with that `.env`, and the first prediction through Traefik."""

import json
import time
from pathlib import Path

import pytest

from mlp import Client
from tests.models import sign_model
from tests.stack.compose import ONE_SHOTS, SERVICES, Compose
from tests.stack.traffic import ROWS

pytestmark = pytest.mark.timeout(900)


def test_configuration_is_clean(compose: Compose) -> None:
    assert compose("config", "--quiet") == ""
    assert compose("-f", "docker-compose.yaml", "-f", "docker-compose.dev.yaml", "config", "--quiet") == ""
    with_tls = ("-f", "docker-compose.yaml", "-f", "docker-compose.tls.yaml", "config", "--quiet")
    assert "ACME_EMAIL is not set in .env" in compose(*with_tls, check=False)


def test_missing_variable_stops_the_start_with_its_name(compose: Compose) -> None:
    whole = (compose.folder / ".env").read_text()
    for name in ("DOMAIN", "CELERY_BROKER_URL", "DATABASE_PASS", "GRAFANA_ADMIN_PASS"):
        kept = [line for line in whole.splitlines() if not line.startswith(f"{name}=")]
        (compose.folder / ".env").write_text("\n".join(kept))
        assert f"{name} is not set in .env" in compose("up", "-d", check=False)
    (compose.folder / ".env").write_text(whole)


def test_images_are_built(compose: Compose) -> None:
    began = time.monotonic()
    compose("build", timeout_seconds=900)
    print(f"\nbuild: {time.monotonic() - began:.0f} s")


def test_start_to_the_first_prediction(
    compose: Compose, client: Client, tmp_path: Path, results_folder: Path | None
) -> None:
    began = time.monotonic()
    up_seconds = compose.up()
    client.models.add("sign", sign_model(tmp_path / "sign"))
    answer = client.predict("sign", ROWS)
    first_seconds = time.monotonic() - began

    print(f"\nup: {up_seconds:.1f} s; with a model added, the first prediction: {first_seconds:.1f} s")
    if results_folder is not None:
        (results_folder / "start.json").write_text(
            json.dumps({"up_seconds": up_seconds, "first_seconds": first_seconds})
        )
    assert answer.predictions[0].label is True
    states = {each["Service"]: each for each in compose.states()}
    assert all(states[name]["Health"] == "healthy" for name in SERVICES), states
    assert all(states[name]["ExitCode"] == 0 for name in ONE_SHOTS), states


def test_start_when_everything_is_there_does_nothing(compose: Compose) -> None:
    before = {each["ID"] for each in compose.states() if each["Service"] in SERVICES}
    compose.up()
    after = {each["ID"] for each in compose.states() if each["Service"] in SERVICES}
    assert before == after
