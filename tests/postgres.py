"""Pytest plug-in: a PostgreSQL of our own on a free port, and a fresh database for each test that asks."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import postgres_guard

_CLOSE_SECONDS = 90.0


class PostgresServer:
    """A running server with durability as shipped (fsync on), trusting every user of the loopback address.

    Attributes:
        port: TCP port on 127.0.0.1, the same after stop() and start().
    """

    def __init__(self) -> None:
        marked = "mark the test with `postgres`: then it is left out where PostgreSQL is missing"
        assert postgres_guard.find_programs() is not None, marked
        self._guard = subprocess.Popen(
            [sys.executable, postgres_guard.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C at the terminal must not end the guard before the tests
        )
        try:
            self.port = int(self._answer())
        except BaseException:
            self.close()
            raise

    def url(self, database: str) -> str:
        """Where the named database is found."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Takes the server down in order (a "fast" shutdown), as in an outage; returns when it is down."""
        self._order("stop")

    def start(self) -> None:
        """Starts the server again on its old port; returns when it answers."""
        self._order("start")

    def close(self) -> None:
        """Takes the server down for good and removes its folder."""
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        self._guard.stdin.close()
        self._guard.wait(_CLOSE_SECONDS)
        self._guard.stdout.close()

    def _order(self, command: str) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{command}\n")
        self._guard.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._guard.stdout is not None
        answer = self._guard.stdout.readline().strip()
        assert answer, "PostgreSQL did not obey; its guard printed the reason to the standard error"
        return answer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that belongs to this test run."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """``postgresql://…`` of an empty database that lasts as long as the test."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    with closing(psycopg.connect(postgres_server.url("postgres"), autocommit=True)) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
