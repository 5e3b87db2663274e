"""What the watch sees of the parts around a process, becoming metrics and the reasons that readiness gives."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import mlp.all_tables
from mlp import __version__
from mlp.config import Settings
from mlp.jobs.queues import Queues
from mlp.jobs.service import JobService
from mlp.jobs.workers import WorkerRegister
from mlp.observability.metrics import REGISTRY
from mlp.storage.database import Database, sqlite_url
from mlp.watch import Watch
from tests.rabbitmq import RabbitMQServer
from tests.redis import RedisServer

#: Four seconds for a connection and three for an answer, and a shared machine's due.
LOOK_SECONDS_MAX = 15.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(sqlite_url(tmp_path))) as database:
        mlp.all_tables.METADATA.create_all(database.engine)
        yield database


def watch_of(database: Database, folder: Path, **settings: Any) -> Watch:
    chosen = Settings(folder=folder, **settings)
    return Watch(chosen, database, Queues(database, chosen), WorkerRegister(database), folder)


def is_up(component: str) -> float | None:
    return sample("mlp_component_up", component=component)


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_laptop_sees_the_database_and_the_disk_alone(database: Database, tmp_path: Path) -> None:
    watch = watch_of(database, tmp_path)

    watch.look()

    assert watch.troubles() == {"database": None}
    assert is_up("database") == 1
    assert sample("mlp_component_check_seconds", component="database") is not None
    free, size = sample("mlp_disk_free_bytes"), sample("mlp_disk_size_bytes")
    assert free is not None
    assert size is not None
    assert 0 < free < size


def test_nothing_is_known_before_the_first_look(database: Database, tmp_path: Path) -> None:
    assert watch_of(database, tmp_path).troubles() == {}


def test_release_is_shown(database: Database, tmp_path: Path) -> None:
    watch_of(database, tmp_path)

    assert sample("mlp_release", version=__version__) == 1


def test_waiting_jobs_are_counted_by_the_queue_that_workers_take(database: Database, tmp_path: Path) -> None:
    with closing(JobService(database, Settings(folder=tmp_path))) as jobs:
        jobs.submit("test.echo", None, b"{}")
        jobs.submit("test.echo", None, b"{}")
        jobs.submit("test.echo", None, b"{}", queue="registry")

    watch_of(database, tmp_path).look()

    assert sample("mlp_jobs", queue="mlp.default", state="queued") == 2
    assert sample("mlp_jobs", queue="mlp.high", state="queued") == 1
    assert sample("mlp_jobs", queue="mlp.low", state="queued") == 0
    assert sample("mlp_workers") == 0


def test_database_away_is_a_trouble_and_ends_when_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    with closing(Database(sqlite_url(folder))) as database:
        watch = watch_of(database, tmp_path)

        watch.look()
        was_away = (watch.troubles()["database"], is_up("database"))
        folder.mkdir()
        mlp.all_tables.METADATA.create_all(database.engine)
        watch.look()

    assert was_away[0] is not None
    assert "unable to open database file" in was_away[0]
    assert was_away[1] == 0
    assert (watch.troubles()["database"], is_up("database")) == (None, 1)


@pytest.mark.slow
@pytest.mark.rabbitmq
@pytest.mark.redis
def test_broker_and_cache_away_are_troubles_and_back_are_none(
    database: Database, tmp_path: Path, rabbitmq_server: RabbitMQServer, redis_server: RedisServer
) -> None:
    addresses = {"broker_url": SecretStr(rabbitmq_server.url), "redis_url": SecretStr(redis_server.url)}
    watch = watch_of(database, tmp_path, **addresses)
    seen: list[Any] = []

    for is_there in (True, False, True):
        for server in (rabbitmq_server, redis_server):
            if is_there:
                server.ensure_started()
            else:
                server.stop()
        watch.look()
        seen.append((watch.troubles(), is_up("broker"), is_up("cache")))

    well = ({"database": None, "broker": None, "cache": None}, 1, 1)
    assert seen[0] == seen[2] == well
    troubles, broker, cache = seen[1]
    assert (broker, cache) == (0, 0)
    assert troubles["database"] is None
    assert "refused" in str(troubles["broker"])
    assert "refused" in str(troubles["cache"])


@pytest.mark.slow
@pytest.mark.rabbitmq
def test_broker_that_hangs_is_a_trouble_within_seconds(
    database: Database, tmp_path: Path, rabbitmq_server: RabbitMQServer
) -> None:
    watch = watch_of(database, tmp_path, broker_url=SecretStr(rabbitmq_server.url))
    rabbitmq_server.pause()
    began = time.monotonic()

    watch.look()

    assert time.monotonic() - began < LOOK_SECONDS_MAX
    assert watch.troubles()["broker"] is not None


@pytest.mark.slow
@pytest.mark.redis
def test_cache_that_hangs_is_a_trouble_within_seconds(
    database: Database, tmp_path: Path, redis_server: RedisServer
) -> None:
    watch = watch_of(database, tmp_path, redis_url=SecretStr(redis_server.url))
    redis_server.pause()
    began = time.monotonic()

    watch.look()

    assert time.monotonic() - began < LOOK_SECONDS_MAX
    assert watch.troubles()["cache"] is not None


@pytest.mark.slow
@pytest.mark.rabbitmq
def test_trouble_names_no_password(database: Database, tmp_path: Path, rabbitmq_server: RabbitMQServer) -> None:
    wrong = SecretStr(rabbitmq_server.url.replace("guest:guest", "guest:topsecret"))
    watch = watch_of(database, tmp_path, broker_url=wrong)

    watch.look()

    assert watch.troubles()["broker"] is not None
    assert "topsecret" not in str(watch.troubles())
