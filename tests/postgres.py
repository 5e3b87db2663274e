"""Pytest plug-in: a PostgreSQL of our own on a free port, and a fresh database for each test that asks."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import postgres_guard
from tests.guarded_server import OrderedServer


class PostgresServer(OrderedServer):
    """A running server with durability as shipped (fsync on), trusting every user of the loopback address."""

    def __init__(self) -> None:
        marked = "mark the test with `postgres`: then it is left out where PostgreSQL is missing"
        assert postgres_guard.find_programs() is not None, marked
        super().__init__(postgres_guard.__file__)

    def url(self, database: str) -> str:
        """Where the named database is found."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


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
