"""Fixtures for contracts: one suite, run on SQLite and on PostgreSQL."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlp.all_tables import METADATA
from mlp.storage import schema
from mlp.storage.database import Database, sqlite_url
from tests.contract.batch_support import Server, serving


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def migrated_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a database of each sort with this release's schema, shared by the session's tests."""
    url = sqlite_url(tmp_path_factory.mktemp("database")) if request.param == "sqlite" else _postgresql_url(request)
    with closing(Database(url)) as database:
        schema.upgrade(database)
    return url


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    """The database, empty."""
    with closing(Database(migrated_url)) as database:
        with database.transaction() as connection:
            for table in reversed(METADATA.sorted_tables):
                if table.name == "registry_revision":
                    connection.execute(sa.update(table).values(revision=0))
                else:
                    connection.execute(sa.delete(table))
        yield database


@pytest.fixture
def server(database: Database, tmp_path: Path, migrated_url: str) -> Iterator[Server]:
    """A server in this process on the empty database, with a version of the model ``sign``."""
    with serving(tmp_path, migrated_url) as server:
        server.add_sign()
        yield server


@pytest.fixture
def idle(database: Database, tmp_path: Path, migrated_url: str) -> Iterator[Server]:
    """Such a server that accepts jobs and runs none."""
    with serving(tmp_path, migrated_url, job_workers=0) as server:
        server.add_sign()
        yield server


def _postgresql_url(request: pytest.FixtureRequest) -> str:
    import psycopg

    # Asked for here, not as an argument: the tests on SQLite start no server.
    server = request.getfixturevalue("postgres_server")
    name = f"contract_{uuid.uuid4().hex}"
    with closing(psycopg.connect(server.url("postgres"), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url: str = server.url(name)
    return url
