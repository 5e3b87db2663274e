"""The tests' own PostgreSQL: durable as shipped, one database a test, and gone with the tests (tests/postgres.py)."""

import subprocess
import sys
import time
from contextlib import closing

import psycopg
import pytest

from tests.architecture.source_tree import ROOT
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

GONE_SECONDS_MAX = 30.0
START_AND_HANG = """
import sys, time
from tests.postgres import PostgresServer
print(PostgresServer().url("postgres"), flush=True)
sys.stdin.read()
"""


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_database_is_empty_and_durable(postgres_database_url: str) -> None:
    with closing(psycopg.connect(postgres_database_url)) as connection:
        fsync = connection.execute("SHOW fsync").fetchone()
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()

    assert fsync == ("on",)
    assert tables == (0,)


def test_server_stopped_and_started_keeps_its_port_and_its_rows(
    postgres_server: PostgresServer, postgres_database_url: str
) -> None:
    with closing(psycopg.connect(postgres_database_url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")

    postgres_server.stop()
    was_away = not answers(postgres_database_url)
    postgres_server.start()

    with closing(psycopg.connect(postgres_database_url)) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
    assert was_away


def test_server_of_a_killed_test_process_is_taken_down() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_HANG], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        url = tests.stdout.readline().strip()
        was_up = answers(url)
        tests.kill()

    deadline = time.monotonic() + GONE_SECONDS_MAX
    while answers(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert was_up
    assert not answers(url)
