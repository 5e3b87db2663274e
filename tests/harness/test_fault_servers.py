"""The fault harness's servers: taken down in every way, and back with what they had promised to keep."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.faults.servers import FaultyServer
from tests.servers import until

pytestmark = pytest.mark.slow

SOON_SECONDS = 20.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[FaultyServer]:
    has_root = sys.platform != "win32" and os.geteuid() == 0
    with closing(FaultyServer("postgres", "192" if has_root else "0")) as server:
        yield server


@pytest.fixture
def rabbitmq() -> Iterator[FaultyServer]:
    with closing(FaultyServer("rabbitmq")) as server:
        yield server


def ask(server: FaultyServer, statement: str) -> list[tuple[object, ...]]:
    url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
    with closing(psycopg.connect(url, autocommit=True, connect_timeout=2)) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description is not None else []


@pytest.mark.postgres
@pytest.mark.parametrize("order", ["kill", "kill_main", "immediate", "stop"])
def test_postgres_taken_down_keeps_what_was_committed(postgres: FaultyServer, order: str) -> None:
    ask(postgres, f"CREATE TABLE kept_{order} AS SELECT 1 AS number")

    postgres.order(order)
    with pytest.raises(psycopg.OperationalError):
        ask(postgres, "SELECT 1")
    postgres.start()

    assert ask(postgres, f"SELECT number FROM kept_{order}") == [(1,)]


@pytest.mark.postgres
def test_paused_postgres_answers_nobody_until_it_goes_on(postgres: FaultyServer) -> None:
    postgres.order("pause")
    with pytest.raises(psycopg.OperationalError):
        ask(postgres, "SELECT 1")
    postgres.order("go_on")

    assert ask(postgres, "SELECT 1") == [(1,)]


@pytest.mark.postgres
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only on Linux as root: mounts a file system")
def test_full_disk_refuses_rows_until_it_is_freed(postgres: FaultyServer) -> None:
    ask(postgres, "CREATE TABLE filled (text text)")
    postgres.order("fill_disk")
    with pytest.raises(psycopg.Error):
        ask(postgres, "INSERT INTO filled SELECT repeat(md5(n::text), 50) FROM generate_series(1, 100000) AS n")
    postgres.order("free_disk")
    postgres.order("ensure")

    until(lambda: ask(postgres, "SELECT count(*) FROM filled") == [(0,)], SOON_SECONDS)


@pytest.mark.rabbitmq
def test_wiped_broker_comes_back_with_nothing_and_obeys_its_control_program(rabbitmq: FaultyServer) -> None:
    from amqp import Connection

    with closing(Connection(f"127.0.0.1:{rabbitmq.port}", connect_timeout=5)) as connection:
        connection.connect()
        connection.channel().queue_declare("kept", durable=True, auto_delete=False)
    assert "kept" in rabbitmq.order("control", "list_queues", "name")

    rabbitmq.order("wipe")
    rabbitmq.start()

    assert "kept" not in rabbitmq.order("control", "list_queues", "name")
