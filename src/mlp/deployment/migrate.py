"""Makes the database ready for the stack: waits until it answers, brings its schema up to date, makes the reading role.

A wrong password is the mistake that people make most (the volume keeps the first one), and gets its remedy named.
"""

import logging
import time
from contextlib import closing

from mlp.clock import monotonic
from mlp.config import Settings
from mlp.deployment.reader import READER_ROLE, grant_reader
from mlp.errors import ConfigurationInvalid, DatabaseUnavailable
from mlp.stack import open_database
from mlp.storage import schema
from mlp.storage.database import Database

_log = logging.getLogger(__name__)
_WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


def migrate(settings: Settings, reader_password: str) -> str:
    """The schema's revision, after it was brought up to date and the reading role was made.

    Args:
        reader_password: Of the role that Grafana reads with; empty: no role is made.

    Raises:
        ConfigurationInvalid: The database refuses the password; the message says what to do.
        DatabaseUnavailable: It did not answer within a minute.
        SchemaOutdated: It is of a newer release.
    """
    with closing(open_database(settings)) as database:
        _wait_for(database)
        schema.upgrade(database)
        if reader_password and not database.is_sqlite:
            with database.transaction() as connection:
                grant_reader(connection, READER_ROLE, reader_password)
    return schema.HEAD


def _wait_for(database: Database) -> None:
    deadline = monotonic() + _WAIT_SECONDS
    while True:
        try:
            return database.check()
        except DatabaseUnavailable as error:
            if is_refused(error):
                raise ConfigurationInvalid(wrong_password_message(database)) from error
            if monotonic() > deadline:
                raise
            _log.info("the database does not answer yet: %s", error.message)
            time.sleep(_PAUSE_SECONDS)


def is_refused(error: DatabaseUnavailable) -> bool:
    """Whether the database answers and refuses the password; libpq gives no SQLSTATE of a failed sign-in."""
    return "password authentication failed" in error.message


def wrong_password_message(database: Database) -> str:
    """What is wrong and what to do, with the commands."""
    user = database.url.username
    return (
        f"the database refuses the password of user {user!r}: its volume was made with another DATABASE_PASS, and "
        "keeps it. Put the old password back into .env; or give the database the new one, "
        f'docker compose exec database psql -U {user} -d {database.url.database} -c "ALTER USER {user} PASSWORD '
        "'the new one'\", and run docker compose up -d again"
    )
