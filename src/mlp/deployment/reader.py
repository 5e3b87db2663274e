"""The role that dashboards read the database with: which columns it may see, and nothing else it may do.

What customers sent and got (payloads, results, inputs, keys) is in no column that it sees.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, LiteralString

import sqlalchemy as sa

from mlp.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from psycopg import Connection, sql

READER_ROLE = "mlp_reader"

#: Columns by table. Left out on purpose: keys of customers, examples, settings, tokens of leases and of idempotency.
READER_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "alias_moves": ("id", "model_id", "alias", "kind", "from_version", "to_version", "reason", "at"),
    "aliases": ("model_id", "name", "version_id", "updated_at"),
    "daily_counts": ("model", "version", "day", "rows", "counts"),
    "feedback": ("id", "model", "state", "at", "received_at", "delay_seconds", "is_late"),
    "inferences": (
        *("id", "row", "version", "model", "role", "mode", "at", "recorded_at"),
        *("score", "predicted", "label", "label_at"),
    ),
    "jobs": (
        *("id", "queue", "kind", "model", "state", "priority", "attempt", "attempts_max", "worker_id", "error"),
        *("created_at", "available_at", "published_at", "started_at", "finished_at"),
    ),
    "models": ("id", "name", "traffic", "created_at"),
    "queue_pauses": ("queue", "reason", "at"),
    "versions": (
        *("id", "model_id", "number", "runtime", "size_bytes", "signature", "metrics", "reference", "created_at"),
    ),
    "workers": (
        *("id", "host", "pid", "release", "queues", "processes", "state", "started_at", "seen_at", "is_draining"),
    ),
}
READER_TABLES: tuple[str, ...] = tuple(READER_COLUMNS)

#: A dashboard that somebody left open must not hold a connection, a lock or a core for long.
_ROLE_SETTINGS: Mapping[str, str] = {
    "default_transaction_read_only": "on",
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "jit": "off",  # compiling took 1.5 s of a question about drift that is answered in 20 ms
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}
_CONNECTIONS_MAX = 20


def grant_reader(connection: sa.Connection, role: str, password: str) -> None:
    """Make the role, or bring it back to what it should be; may be called again, with another password too.

    Afterwards it signs in with the password, sees READER_COLUMNS of the connection's schema, and may do nothing else.
    PostgreSQL receives a hash of the password, so that no log of statements can hold it.

    Args:
        connection: In a transaction on PostgreSQL, of a user that may make roles.

    Raises:
        ConfigurationInvalid: The user may not make roles.
    """
    import psycopg

    driver: Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    try:
        for statement in _statements(driver, role, password):
            driver.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        user = connection.engine.url.username
        raise ConfigurationInvalid(
            f"the database's user {user!r} may not make the role {role!r} that dashboards read with: "
            f"ALTER USER {user} CREATEROLE, as an administrator of the database"
        ) from error


def _statements(driver: "Connection[Any]", role: str, password: str) -> "list[sql.Composed]":
    from psycopg import sql

    name = sql.Identifier(role)
    database, schema = _one_row(driver, "SELECT current_database(), current_schema()")
    is_there = _one_row(driver, "SELECT count(*) FROM pg_roles WHERE rolname = %s", role)[0] > 0
    verifier = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    attributes = sql.SQL(
        "{verb} ROLE {role} LOGIN NOINHERIT {others} CONNECTION LIMIT {limit} PASSWORD {password}"
    ).format(
        verb=sql.SQL("ALTER" if is_there else "CREATE"),
        role=name,
        # A new role has none of these. Only a superuser may take them away, or so much as say so.
        others=sql.SQL(
            "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS" if _is_superuser(driver) else ""
        ),
        limit=sql.Literal(_CONNECTIONS_MAX),
        password=sql.Literal(verifier),
    )
    settings = [
        sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
        for setting, value in _ROLE_SETTINGS.items()
    ]
    taken = [
        sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), name)
        for group in (_groups_of(driver, role) if is_there else ())
    ]
    where, place = sql.Identifier(schema), sql.Identifier(database)
    revoked = [
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(where, name),
        sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA {} FROM {}").format(where, name),
        sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(where, name),
        sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(place, name),
        # Everybody may make temporary tables unless told otherwise; our own user keeps the right as the owner.
        sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(place),
    ]
    granted = [
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(place, name),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(where, name),
        *(
            sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(
                sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(schema, table), name
            )
            for table, columns in READER_COLUMNS.items()
        ),
    ]
    return [attributes, *settings, *taken, *revoked, *granted]


def _is_superuser(driver: "Connection[Any]") -> bool:
    return bool(_one_row(driver, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0])


def _groups_of(driver: "Connection[Any]", role: str) -> list[str]:
    """Roles that it is a member of, and so has the rights of."""
    query = (
        "SELECT groups.rolname FROM pg_auth_members AS memberships "
        "JOIN pg_roles AS groups ON groups.oid = memberships.roleid "
        "JOIN pg_roles AS members ON members.oid = memberships.member WHERE members.rolname = %s"
    )
    return [row[0] for row in driver.execute(query, [role])]


def _one_row(driver: "Connection[Any]", query: LiteralString, *values: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = driver.execute(query, list(values)).fetchone()
    assert row is not None
    return row
