"""`down` and `up`: everything is there; a changed password is told with its remedy; a key locks the door."""

import pytest

from mlp import Client
from tests.stack.compose import ENVIRONMENT, SERVICES, Compose
from tests.stack.traffic import ROWS, ask

pytestmark = pytest.mark.timeout(600)


def test_everything_is_there_after_down_and_up(compose: Compose, client: Client) -> None:
    counts = "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM versions), (SELECT count(*) FROM feedback)"
    before = compose.query(counts)

    compose.down()
    compose("build", timeout_seconds=600)
    compose.up()

    assert compose.query(counts) == before
    assert client.predict("sign", ROWS).predictions[0].label is True
    job = ask("POST", "/v1/models/sign/jobs", {"rows": ROWS}).json()
    assert ask("GET", f"/v1/jobs/{job['id']}?wait=20").json()["state"] == "succeeded"


def test_doctor_finds_the_stack_well(compose: Compose) -> None:
    printed = compose.inside("api", "mlp", "doctor", check=False)
    print("\n" + printed)
    well = {line.split()[0] for line in printed.splitlines() if " ok " in line}
    assert {"api", "worker", "database", "broker", "cache", "prometheus", "grafana", "traefik"} <= well


def test_another_database_password_is_told_with_its_remedy(compose: Compose) -> None:
    (compose.folder / ".env").write_text(ENVIRONMENT.replace("DATABASE_PASS=mlp", "DATABASE_PASS=another"))
    compose("up", "--detach", timeout_seconds=240, check=False)
    told = compose("logs", "--no-log-prefix", "migrate")
    (compose.folder / ".env").write_text(ENVIRONMENT)
    assert "DATABASE_PASS" in told
    assert "ALTER USER" in told
    compose.up()


def test_with_a_key_the_door_is_locked(compose: Compose) -> None:
    (compose.folder / ".env").write_text(ENVIRONMENT + "MLP_API_KEY=a-key-of-the-test\n")
    compose.up()
    assert ask("POST", "/v1/models/sign/predict", {"rows": ROWS}).status == 401
    assert ask("GET", "/metrics").status == 401
    assert ask("GET", "/health/ready").status == 200
    key = {"authorization": "Bearer a-key-of-the-test"}
    assert ask("POST", "/v1/models/sign/predict", {"rows": ROWS}, **key).status == 200
    (compose.folder / ".env").write_text(ENVIRONMENT)


def test_written_environment_brings_the_stack_up(compose: Compose) -> None:
    compose.down("--volumes")
    (compose.folder / ".env").unlink()
    compose.script("init", "--domain", "localhost", "--bind", "127.0.0.1")
    written = (compose.folder / ".env").read_text()
    refused = compose.script("init", "--domain", "localhost", check=False)
    assert (compose.folder / ".env").read_text() == written, refused

    compose.up()

    assert all(compose.is_well(service) for service in SERVICES)
    key = next(line.split("=", 1)[1] for line in written.splitlines() if line.startswith("MLP_API_KEY="))
    assert ask("GET", "/v1/models").status == 401
    assert ask("GET", "/v1/models", authorization=f"Bearer {key}").status == 200
