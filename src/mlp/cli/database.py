"""``mlp db``: brings the database's schema up to date, or says whether it is."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mlp.cli.session import Session
from mlp.errors import SchemaOutdated

if TYPE_CHECKING:
    from mlp.config import Settings

_ON_THE_DATABASE = '"mlp db" works on the database itself, not through a server'


def upgrade(session: Session) -> None:
    """Bring the schema to this release's; does nothing where it is."""
    from mlp.stack import open_database
    from mlp.storage import schema
    from mlp.storage.ownership import FolderOwner

    session.refuse_url(_ON_THE_DATABASE)
    settings = session.settings
    settings.folder.mkdir(parents=True, exist_ok=True)
    # A server that runs on the folder, perhaps of an older release, must not find the schema changed beneath it.
    with FolderOwner(settings.folder), closing(open_database(settings)) as database:
        before = schema.current_revision(database)
        schema.upgrade(database)
    _report(session, before, schema.HEAD)


def _report(session: Session, before: str | None, after: str) -> None:
    if session.output.is_json:
        session.output.json({"revision_before": before, "revision": after})
    elif before == after:
        session.output.line(f"the schema is up to date: {after}")
    else:
        session.output.line(f"the schema went from {'none' if before is None else before} to {after}")


def check(session: Session) -> None:
    """Say whether the schema is this release's; exit code 1 if not."""
    from mlp.stack import open_database
    from mlp.storage import schema

    session.refuse_url(_ON_THE_DATABASE)
    settings = session.settings
    if not is_there(settings):
        raise SchemaOutdated(f"there is no database in {settings.folder} yet: run `mlp db upgrade` or `mlp serve`")
    with closing(open_database(settings)) as database:
        schema.check(database)
    if session.output.is_json:
        session.output.json({"revision": schema.HEAD})
    else:
        session.output.line(f"the schema is up to date: {schema.HEAD}")


def is_there(settings: "Settings") -> bool:
    """Whether the folder's database file exists; a database server is taken to be there."""
    if settings.database_url is not None:
        return True
    from sqlalchemy import make_url

    from mlp.storage.database import sqlite_url

    return Path(str(make_url(sqlite_url(settings.folder)).database)).exists()
