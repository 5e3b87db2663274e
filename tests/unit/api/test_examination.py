from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest

from mlp.api.examination import KINDS, examine, ranked
from mlp.client.examination import Cause, Component, Examination, Status
from mlp.config import Settings
from mlp.storage import schema
from mlp.storage.database import Database, sqlite_url

Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder that a server has used."""
    with closing(Database(sqlite_url(tmp_path))) as database:
        schema.upgrade(database)
    return Settings(folder=tmp_path)


def part(examination: Examination, name: str) -> Component:
    return next(each for each in examination.components if each.name == name)


def cause(kind: str, status: Status = Status.FAILED) -> Cause:
    return Cause(kind, kind, status, "detail", "remedy")


def test_server_on_a_laptop_examines_its_folder(settings: Settings) -> None:
    examination = examine(settings, {"churn": {"status": "ready", "detail": None, "version": "3"}})

    assert not examination.is_stack
    assert examination.is_healthy
    assert [each.name for each in examination.components] == ["api", "database", "disk", "spool", "models"]
    assert part(examination, "database").detail == "sqlite"
    assert part(examination, "models").detail == "1 of 1 ready"


def test_model_that_is_broken_fails_and_one_that_loads_does_not(settings: Settings) -> None:
    models = {
        "churn": {"status": "degraded", "detail": "loading", "version": "1"},
        "fraud": {"status": "degraded", "detail": "no module named x", "version": "2"},
    }

    examination = examine(settings, models)

    assert part(examination, "models").detail == "0 of 2 ready, 1 loading"
    assert [(each.subject, each.remedy) for each in examination.causes] == [("fraud", "mlp models rollback fraud")]


def test_schema_of_another_release_is_a_cause_with_its_command(settings: Settings) -> None:
    import sqlalchemy as sa

    with closing(Database(sqlite_url(settings.folder))) as database, database.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))

    examination = examine(settings, {})

    assert part(examination, "database").status is Status.FAILED
    assert [(each.kind, each.remedy) for each in examination.causes] == [("schema", "mlp db upgrade")]


@pytest.mark.parametrize(("free_bytes", "status"), [(1 << 20, Status.FAILED), (1 << 29, Status.WARNING)])
def test_disk_that_fills_up_is_told_before_it_is_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free_bytes: int, status: Status
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Disk(1 << 40, 0, free_bytes))

    examination = examine(settings, {})

    assert [(each.kind, each.status) for each in examination.causes] == [("disk", status)]
    assert part(examination, "disk").status is status


def test_spool_that_is_not_emptied_is_a_warning(settings: Settings) -> None:
    spool = settings.folder / "spool" / "0195"
    spool.mkdir(parents=True)
    (spool / "00000000.frames").write_bytes(b"x" * 2_000_000)

    examination = examine(settings.model_copy(update={"spool_bytes_max": 3_000_000}), {})

    assert [(each.kind, each.status) for each in examination.causes] == [("spool", Status.WARNING)]


def test_stack_that_is_all_away_names_each_part_within_the_time_out(tmp_path: Path) -> None:
    settings = Settings(
        folder=tmp_path,
        database_url="postgresql://mlp:mlp@database.invalid/mlpdb",
        broker_url="pyamqp://rabbitmq.invalid/",
        redis_url="redis://redis.invalid/",
        prometheus_url="http://prometheus.invalid:9090",
        grafana_url="http://grafana.invalid:3000",
        traefik_url="http://traefik.invalid:8080/ping",
    )

    examination = examine(settings, None, server_trouble="the server does not run")

    failed = [each.name for each in examination.components if each.status is Status.FAILED]
    assert examination.is_stack
    assert failed == ["api", "database", "broker", "cache", "prometheus", "grafana", "traefik"]
    assert part(examination, "worker").detail == "not known: the register of workers is in the database"
    assert part(examination, "models").status is Status.NOTE
    assert "does not resolve" in part(examination, "broker").detail
    assert [each.kind for each in examination.causes] == [
        *("database", "api", "broker", "cache", "prometheus", "grafana", "traefik")
    ]


def test_ranking_puts_the_worst_first() -> None:
    ordered = ranked([cause("jobs", Status.WARNING), cause("grafana"), cause("broker")])

    assert [each.kind for each in ordered] == ["broker", "grafana", "jobs"]


def test_ranking_puts_a_mild_cause_before_the_worse_that_follows_from_it() -> None:
    follows = [cause("queue"), cause("grafana"), cause("worker", Status.WARNING), cause("versions", Status.WARNING)]

    assert [each.kind for each in ranked(follows)] == ["versions", "worker", "queue", "grafana"]


def test_ranking_knows_every_kind() -> None:
    assert [each.kind for each in ranked([cause(kind) for kind in reversed(KINDS)])] == list(KINDS)
