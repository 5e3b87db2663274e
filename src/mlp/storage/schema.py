"""Brings the database's schema to this release, whole or not at all, and says whether it is there.

A migration runs in one transaction on both databases (SQLite and PostgreSQL roll back DDL), so that a kill in
the middle leaves the schema as it was.
"""

import logging
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mlp.errors import SchemaOutdated
from mlp.storage.database import METADATA, Database

_log = logging.getLogger(__name__)

#: The newest migration; a test compares it with the files.
HEAD = "0004"
#: The oldest release, by the migration it was made for, that still works on this schema: one release may be rolled
#: back without touching the database.
OLDEST_COMPATIBLE = "0002"
_MIGRATIONS = Path(__file__).parent / "migrations"
#: Any fixed number: whoever migrates holds this advisory lock (PostgreSQL documentation, section 13.3.5).
_MIGRATION_LOCK = 4789_0001
_compatibility = sa.Table(
    "schema_compatibility", METADATA, sa.Column("oldest_revision", sa.String(32), primary_key=True)
)


def current_revision(database: Database) -> str | None:
    """The migration that the database stands at; None for an empty database."""
    with database.reading() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def check(database: Database) -> None:
    """Returns when this release works on the schema: it is its own, or that of the next release, which allows for it.

    Raises:
        SchemaOutdated: It is older, too new, or not there; the message says what to do.
    """
    revision = current_revision(database)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        if _oldest_compatible(database) <= HEAD:
            _log.warning("the schema %s is newer than this release's %s, and allows for it", revision, HEAD)
            return
        raise SchemaOutdated(f"the database's schema {revision} is newer than this release's {HEAD}: upgrade mlp")
    found = "no schema yet" if revision is None else f"schema {revision}"
    raise SchemaOutdated(f"the database has {found}, this release needs {HEAD}: run `mlp db upgrade`")


def upgrade(database: Database) -> None:
    """Bring the schema to HEAD; does nothing where it is. Two processes may call it at once.

    Raises:
        SchemaOutdated: The database is newer than this release.
        DatabaseUnavailable: Another process has held the lock for longer than the time-out.
    """
    revision = current_revision(database)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        return check(database)
    # Alembic is imported only when there is something to do: it costs a tenth of a second of start-up.
    from alembic import command

    with database.transaction() as connection:
        if not database.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        command.upgrade(alembic_config(connection), "head")
        connection.execute(sa.delete(_compatibility))
        connection.execute(sa.insert(_compatibility).values(oldest_revision=OLDEST_COMPATIBLE))


def _oldest_compatible(database: Database) -> str:
    with database.reading() as connection:
        return str(connection.execute(sa.select(_compatibility.c.oldest_revision)).scalar_one())


def alembic_config(connection: sa.Connection, metadata: sa.MetaData | None = None) -> Any:
    """Alembic's configuration for a connection; with metadata, for comparing tables and schema."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config
