"""The stack examined over real programs: versions of those that answer, and the right name for each trouble."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import urllib3

from mlp import __version__
from mlp.api import slow_stages
from mlp.api.examination import examine
from mlp.cli.main import run
from mlp.client.examination import Component, Examination, Status
from mlp.clock import now
from mlp.config import Settings
from mlp.jobs.workers import WorkerPhase, WorkerRegister, WorkerState
from mlp.storage import schema
from mlp.storage.database import Database
from tests.models import sign_model
from tests.postgres import PostgresServer
from tests.rabbitmq import RabbitMQServer
from tests.redis import RedisServer
from tests.server_guard import free_port
from tests.servers import Serve, until

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def part(examination: Examination, name: str) -> Component:
    return next(each for each in examination.components if each.name == name)


def remedy(examination: Examination, kind: str) -> str:
    return next(cause.remedy for cause in examination.causes if cause.kind == kind)


def look(folder: Path, **settings: Any) -> Examination:
    folder.mkdir(exist_ok=True)
    return examine(Settings(folder=folder, **settings), {})


def migrated(url: str) -> str:
    with closing(Database(url)) as database:
        schema.upgrade(database)
    return url


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are accepted and nothing is ever said."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.mark.postgres
@pytest.mark.rabbitmq
@pytest.mark.redis
def test_programs_that_answer_are_shown_with_version_and_latency(
    folder: Path, postgres_database_url: str, rabbitmq_server: RabbitMQServer, redis_server: RedisServer
) -> None:
    examination = look(
        folder,
        database_url=migrated(postgres_database_url),
        broker_url=rabbitmq_server.url.replace("amqp:", "pyamqp:"),
        redis_url=redis_server.url,
    )

    answered = [part(examination, name) for name in ("database", "broker", "cache")]
    assert {each.status for each in answered} == {Status.OK}
    assert all(each.version is not None and each.version[0].isdigit() for each in answered)
    assert all(each.latency_ms is not None and 0 < each.latency_ms < 3000 for each in answered)
    # Nothing runs but these: the one thing that is wrong.
    assert [(cause.kind, cause.detail) for cause in examination.causes if cause.status is Status.FAILED] == [
        ("worker", "no worker lives: jobs are accepted, and none is done")
    ]


@pytest.mark.rabbitmq
def test_broker_that_refuses_the_password_is_told_apart_from_one_that_is_down(
    folder: Path, rabbitmq_server: RabbitMQServer
) -> None:
    wrong = look(folder, broker_url=rabbitmq_server.url.replace("guest:guest", "guest:wrong"))
    no_host = look(folder, broker_url=rabbitmq_server.url.removesuffix("//") + "/nowhere")
    rabbitmq_server.kill()
    down = look(folder, broker_url=rabbitmq_server.url)

    assert part(wrong, "broker").detail.startswith("RabbitMQ refuses user and password: ACCESS_REFUSED")
    assert "--force-recreate prepare rabbitmq" in remedy(wrong, "broker")
    assert "nowhere" in part(no_host, "broker").detail
    assert part(down, "broker").detail.endswith("refuses connections: nothing listens there")
    assert "docker compose restart rabbitmq" in remedy(down, "broker")


@pytest.mark.redis
def test_cache_that_refuses_the_password_is_told_apart_from_one_that_is_down(
    folder: Path, redis_server: RedisServer
) -> None:
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.config_set("requirepass", "right")
    broker_url = f"pyamqp://127.0.0.1:{redis_server.port}//"

    without = look(folder, redis_url=redis_server.url, broker_url=broker_url)
    wrong = look(folder, redis_url=redis_server.url.replace("//", "//:wrong@"))
    right = look(folder, redis_url=redis_server.url.replace("//", "//:right@"))
    redis_server.stop()
    down = look(folder, redis_url=redis_server.url)

    assert part(without, "cache").detail.startswith("Redis refuses the password")
    assert part(wrong, "cache").detail.startswith("Redis refuses the password")
    assert part(right, "cache").status is Status.OK
    assert part(down, "cache").detail.endswith("nothing listens there")
    # What answers there is no RabbitMQ.
    assert part(without, "broker").status is Status.FAILED


@pytest.mark.postgres
def test_database_that_refuses_the_password_is_told_apart_from_one_that_is_not_there(
    folder: Path, postgres_server: PostgresServer, postgres_database_url: str
) -> None:
    with closing(psycopg.connect(postgres_database_url, autocommit=True)) as connection:
        rules = "host all locked 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust"
        (place,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        connection.execute(f"COPY (SELECT unnest(ARRAY['{rules}'])) TO '{place}'".encode())
        connection.execute("SELECT pg_reload_conf()")
    locked = postgres_database_url.replace("postgres@", "locked:wrong@")

    def refused() -> Component:
        return part(look(folder, database_url=locked), "database")

    until(lambda: refused().status is Status.FAILED, 10)
    wrong = look(folder, database_url=locked)
    absent = look(folder, database_url=postgres_server.url("nowhere"))
    without_schema = look(folder, database_url=postgres_database_url)
    with closing(psycopg.connect(postgres_database_url, autocommit=True)) as connection:
        connection.execute("DROP ROLE locked")

    assert "password authentication failed" in part(wrong, "database").detail
    assert "DATABASE_PASS" in remedy(wrong, "database")
    assert '"nowhere" does not exist' in part(absent, "database").detail
    assert [(cause.kind, cause.remedy) for cause in without_schema.causes] == [
        ("schema", "docker compose run --rm migrate")
    ]


def test_programs_that_accept_and_say_nothing_do_not_hold_up_the_examination(folder: Path, silent: int) -> None:
    began_at = time.monotonic()

    examination = look(
        folder,
        database_url=f"postgresql://mlp@127.0.0.1:{silent}/mlp",
        broker_url=f"pyamqp://127.0.0.1:{silent}//",
        redis_url=f"redis://127.0.0.1:{silent}/0",
        prometheus_url=f"http://127.0.0.1:{silent}",
        grafana_url=f"http://127.0.0.1:{silent}",
        traefik_url=f"http://127.0.0.1:{silent}/ping",
    )

    silenced = [part(examination, name) for name in ("broker", "cache", "prometheus", "grafana", "traefik")]
    assert time.monotonic() - began_at < 6
    assert {each.status for each in silenced} == {Status.FAILED}
    assert all("within 3" in each.detail or "for 3 s" in each.detail for each in silenced), silenced
    assert part(examination, "database").status is Status.FAILED


@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_doctor_without_a_server_looks_at_the_stack_itself(
    folder: Path,
    postgres_database_url: str,
    rabbitmq_server: RabbitMQServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLP_FOLDER", str(folder))
    monkeypatch.setenv("DATABASE_URL", migrated(postgres_database_url))
    monkeypatch.setenv("CELERY_BROKER_URL", rabbitmq_server.url)

    exit_codes = (run(["doctor", "--json"]), run(["doctor"]))

    document, text = capsys.readouterr().out.split("\n}\n", 1)
    report = json.loads(document + "}")
    assert exit_codes == (1, 1)
    assert [each["subject"] for each in report["causes"]] == ["api", "worker"]
    assert {each["name"]: each["status"] for each in report["components"]}["broker"] == "ok"
    assert text.splitlines()[0].split() == ["COMPONENT", "STATUS", "VERSION", "LATENCY", "DETAIL"]
    assert "1. api: the server does not run\n   docker compose up -d api" in text


def test_doctor_beside_a_server_on_a_laptop_names_paused_queues(
    serve: Serve, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server = serve()
    server.client.models.add("sign", sign_model(tmp_path / "one"))
    server.client.queues.pause("default", "wrong model")
    waiting = server.client.jobs.submit("sign", [[1, 1]])

    report = server.client.examination()
    exit_code = run(["doctor", "--folder", str(server.folder)])

    assert [each.name for each in report.components] == ["api", "database", "disk", "spool", "models"]
    assert not report.is_stack
    printed = capsys.readouterr().out
    assert exit_code == 0, printed
    assert "pause mlp.default, paused with 1 job waiting: wrong model: mlp queues resume mlp.default" in printed
    server.client.queues.resume("default")
    assert server.client.jobs.wait(waiting.id, 20).state == "succeeded"


@pytest.mark.postgres
@pytest.mark.rabbitmq
@pytest.mark.redis
def test_doctor_of_a_stack_shows_every_part_and_what_is_wrong(
    serve: Serve,
    postgres_database_url: str,
    rabbitmq_server: RabbitMQServer,
    redis_server: RedisServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = serve(
        DATABASE_URL=migrated(postgres_database_url),
        CELERY_BROKER_URL=rabbitmq_server.url.replace("amqp:", "pyamqp:"),
        CELERY_BACKEND_URL=redis_server.url,
    )
    queues = ("mlp.high", "mlp.default", "mlp.low")
    state = WorkerState("one:7", "one", 7, __version__, queues, 2, WorkerPhase.RUNNING, now())
    with closing(Database(postgres_database_url)) as database:
        WorkerRegister(database).beat(state)

    well = (run(["doctor", "--url", server.url]), capsys.readouterr().out)
    drained = run(["workers", "drain", "one", "--url", server.url])
    redis_server.stop()
    unwell = (run(["doctor", "--url", server.url]), capsys.readouterr().out)

    assert well[0] == 0, well[1]
    parts = [" ".join(line.split()[:2]) for line in well[1].splitlines()[1:] if line[:1].strip()]
    assert parts == [
        *("api ok", "database ok", "broker ok", "cache ok", "worker one:7", "disk ok", "spool ok", "models ok")
    ], well[1]
    assert drained == 0
    assert unwell[0] == 1, unwell[1]
    assert "1. cache: " in unwell[1]
    assert "queue mlp.low: no worker takes it\n   mlp workers drain --undo one:7" in unwell[1]


def backfilled(folder: Path) -> Path:
    """Prometheus' files with 70 minutes of a model that was fast, and has been slow for the last 5."""
    now = int(time.time())
    families: dict[str, list[str]] = {}
    for metric, labels in (
        ("mlp_inference_call_seconds", 'version="churn/3"'),
        ("mlp_inference_duration_seconds", 'model="churn"'),
        ("mlp_inference_duration_seconds", 'model="steady"'),
        ("mlp_job_wait_seconds", 'kind="inference.predict"'),
    ):
        is_steady = "steady" in labels or "job" in metric
        count, total = 0, 0.0
        lines = families.setdefault(metric, [f"# TYPE {metric} summary"])
        for at in range(now - 4200, now, 15):
            count += 15
            total += 15 * (0.04 if at > now - 300 and not is_steady else 0.004)
            lines += [f"{metric}_count{{{labels}}} {count} {at}", f"{metric}_sum{{{labels}}} {total:.3f} {at}"]
    releases = [f'mlp_release{{version="{version}",instance="{version}"}} 1 {now - 15}' for version in ("0.1", "0.2")]
    lines = [line for family in families.values() for line in family] + ["# TYPE mlp_release gauge", *releases, "# EOF"]
    source = folder / "samples.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(source), str(folder / "files")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder / "files"


@pytest.fixture
def prometheus_url(tmp_path: Path) -> Iterator[str]:
    """A Prometheus that remembers that model, and scrapes one target in vain."""
    url = f"http://127.0.0.1:{free_port()}"
    configuration = tmp_path / "prometheus.yml"
    targets = f"[{{targets: ['127.0.0.1:{free_port()}']}}]"
    configuration.write_text(
        f"scrape_configs:\n- {{job_name: worker, scrape_interval: 1s, static_configs: {targets}}}\n", encoding="utf-8"
    )
    command = [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={backfilled(tmp_path)}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: is_scraping(url), 30, (tmp_path / "prometheus.log").read_text)
        yield url
    finally:
        process.kill()
        process.wait(30)


def is_scraping(url: str) -> bool:
    try:
        targets = urllib3.request("GET", f"{url}/api/v1/targets?state=active", timeout=2, retries=False)
        return targets.status == 200 and b'"health":"down"' in targets.data
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.prometheus
def test_slow_stage_is_found_by_prometheus_and_told_once(prometheus_url: str, folder: Path) -> None:
    causes = slow_stages.slow_stages(prometheus_url)
    mixed = slow_stages.mixed_releases(prometheus_url)
    examination = look(folder, prometheus_url=prometheus_url, database_url=f"sqlite:///{folder}.sqlite")

    assert [(cause.kind, cause.subject) for cause in causes] == [("stage", "churn/3")]
    assert causes[0].detail == "a call of the model takes 40 ms, and took 4 ms in the hour before"
    assert "mlp models rollback churn" in causes[0].remedy
    assert [cause.detail for cause in mixed] == ["servers and workers of 0.1 (1), 0.2 (1)"]
    assert part(examination, "prometheus").version is not None
    assert part(examination, "prometheus").detail.startswith("1 of 1 targets are down: worker (")
    assert {"stage", "versions", "prometheus"} <= {cause.kind for cause in examination.causes}
