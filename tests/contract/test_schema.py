"""The schema on both databases: migrations make exactly the tables that the code declares, whole or not at all."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mlp.all_tables import METADATA
from mlp.errors import SchemaOutdated
from mlp.storage import schema
from mlp.storage.database import Database, sqlite_url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_database_url")
    with closing(Database(url)) as database:
        yield database


def test_migrations_make_exactly_the_declared_tables(empty: Database) -> None:
    schema.upgrade(empty)

    with empty.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_head_is_the_newest_migration() -> None:
    folder = Path(schema.__file__).parent / "migrations" / "versions"

    assert max(path.name.split("_")[0] for path in folder.glob("[0-9]*.py")) == schema.HEAD


def test_upgrade_twice_changes_nothing(empty: Database) -> None:
    schema.upgrade(empty)
    schema.upgrade(empty)

    schema.check(empty)
    assert schema.current_revision(empty) == schema.HEAD


def test_check_of_an_empty_database_names_the_command(empty: Database) -> None:
    with pytest.raises(SchemaOutdated, match="mlp db upgrade"):
        schema.check(empty)


def test_newer_schema_is_refused_and_left_alone(empty: Database) -> None:
    schema.upgrade(empty)
    with empty.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(sa.text("UPDATE schema_compatibility SET oldest_revision = '9998'"))

    with pytest.raises(SchemaOutdated, match="newer"):
        schema.upgrade(empty)

    assert schema.current_revision(empty) == "9999"


def test_newer_schema_that_allows_for_this_release_is_served_and_left_alone(empty: Database) -> None:
    schema.upgrade(empty)
    with empty.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(sa.text("UPDATE schema_compatibility SET oldest_revision = :head"), {"head": schema.HEAD})

    schema.check(empty)
    schema.upgrade(empty)

    assert schema.current_revision(empty) == "9999"


def test_migration_that_breaks_off_leaves_nothing_behind(empty: Database) -> None:
    # The last table of the first migration is in the way: everything before it must be undone.
    with empty.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE daily_counts (x INTEGER)"))

    with pytest.raises(Exception, match="daily_counts"):
        schema.upgrade(empty)

    with empty.reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["daily_counts"]


def test_downgrade_takes_every_table_away(empty: Database) -> None:
    from alembic import command

    schema.upgrade(empty)
    with empty.transaction() as connection:
        command.downgrade(schema.alembic_config(connection), "base")

    with empty.reading() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
