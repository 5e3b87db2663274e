"""The database of one process: an engine on SQLite or PostgreSQL, and transactions as context managers.

The only place that commits. Stores receive a connection and never end its transaction.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from mlp.clock import monotonic, now
from mlp.errors import ConfigurationInvalid, DatabaseUnavailable, StorageFull

#: Connections for what need not be on disk at once; see Database.transaction().
_HASTY_CONNECTIONS_MAX = 4
#: A connection that worked so long ago is asked whether it still does.
_TRUSTED_SECONDS = 1.0

#: Tables of all domains; each domain's tables.py adds its own.
METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Database:
    """Connections to one database; safe for use by several threads.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…`` (which means psycopg 3).
        timeout_seconds: Longest wait for a connection, for SQLite's write lock, and for a lock in PostgreSQL.
        connections_max: Connections held to PostgreSQL at most.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 5.0, connections_max: int = 10) -> None:
        self.url = _with_driver(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._timeout_seconds = timeout_seconds
        self._writing = threading.Lock()
        make = _sqlite_engine if self.is_sqlite else _postgresql_engine
        self.engine = make(self.url, timeout_seconds, connections_max)
        self._hasty_engine = self.engine
        if not self.is_sqlite:
            self._hasty_engine = _postgresql_engine(self.url, timeout_seconds, _HASTY_CONNECTIONS_MAX, is_durable=False)

    @contextmanager
    def transaction(self, *, is_durable: bool = True) -> Iterator[sa.Connection]:
        """A connection in a writing transaction: committed on leaving, rolled back on any exception.

        Not durable: PostgreSQL answers the COMMIT before it is on disk, and may have forgotten it after a crash; for
        what is done again then (PostgreSQL documentation, section 28.4). Never half of it, never out of order.

        On SQLite the write lock is taken at the start (BEGIN IMMEDIATE), so that no transaction fails half-way
        because another one wrote in between.

        Raises:
            DatabaseUnavailable: Not reachable, or busy for longer than the time-out.
            StorageFull: The disk is full; nothing was written.
        """
        engine = self.engine if is_durable else self._hasty_engine
        with self._turn_to_write(), self._begun("BEGIN IMMEDIATE", engine) as connection:
            yield connection

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """SQLite's waiting writers sleep and try again, and some starve: this process's own stand in line instead."""
        if not self.is_sqlite:
            yield
            return
        if not self._writing.acquire(timeout=self._timeout_seconds):
            raise DatabaseUnavailable(f"other writers held the database for {self._timeout_seconds:g} s: try again")
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def statement(self, *, is_durable: bool = True) -> Iterator[sa.Connection]:
        """A connection for one writing statement, committed with it: on PostgreSQL one journey instead of three.

        For the paths that are travelled thousands of times a second. On SQLite a transaction, as any other.

        Raises:
            DatabaseUnavailable, StorageFull: As transaction().
        """
        if self.is_sqlite:
            with self.transaction() as connection:
                yield connection
            return
        engine = self.engine if is_durable else self._hasty_engine
        with _clear_errors(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for reading one consistent state.

        Raises:
            DatabaseUnavailable: Not reachable within the time-out.
        """
        with self._begun("BEGIN", self.engine) as connection:
            yield connection

    @contextmanager
    def _begun(self, sqlite_begin: str, engine: sa.Engine) -> Iterator[sa.Connection]:
        with (
            _clear_errors(),
            engine.connect() as connection,
            connection.execution_options(sqlite_begin=sqlite_begin).begin(),
        ):
            yield connection

    def check(self) -> None:
        """Returns when the database answers a trivial query.

        Raises:
            DatabaseUnavailable: It does not.
        """
        with self.reading() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.dispose()

    def dispose(self, *, is_forked: bool = False) -> None:
        """Let go of every idle connection; of those of the process this one was forked from, without closing them."""
        for engine in {self.engine, self._hasty_engine}:
            engine.dispose(close=not is_forked)


def sqlite_url(folder: Path) -> str:
    """The address of a data folder's own database file."""
    return f"sqlite:///{(folder / 'mlp.sqlite').absolute().as_posix()}"


def _with_driver(text: str) -> URL:
    try:
        url = make_url(text)
    except sa.exc.ArgumentError:
        raise ConfigurationInvalid(
            "DATABASE_URL is no address: expected postgresql://user:password@host/name"
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationInvalid(f"DATABASE_URL names {url.get_backend_name()}: use postgresql:// or sqlite:///")
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url


def _sqlite_engine(url: URL, timeout_seconds: float, _connections_max: int) -> sa.Engine:
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=32,
        pool_timeout=timeout_seconds,
        connect_args={"timeout": timeout_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Transactions are begun by us, so that a writer can ask for the lock at once; see transaction().
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # an acknowledged write survives a power cut, not only kill -9
            "foreign_keys=ON",
            f"busy_timeout={int(timeout_seconds * 1000)}",
            "wal_autocheckpoint=2000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))

    return engine


def _postgresql_engine(url: URL, timeout_seconds: float, connections_max: int, *, is_durable: bool = True) -> sa.Engine:
    millis = int(timeout_seconds * 1000)
    options = f"-c timezone=UTC -c lock_timeout={millis} -c idle_in_transaction_session_timeout=60000"
    if not is_durable:
        options += " -c synchronous_commit=off"
    try:
        engine = sa.create_engine(
            url,
            pool_size=connections_max,
            max_overflow=0,
            pool_timeout=timeout_seconds,
            connect_args={
                "connect_timeout": max(1, int(timeout_seconds)),
                # A server that is lost with its network says nothing: noticed within half a minute, not two hours.
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 20_000,
                "options": options,
                "application_name": "mlp",
            },
        )
    except ModuleNotFoundError as error:
        raise ConfigurationInvalid(
            'DATABASE_URL names PostgreSQL, and psycopg is not installed: pip install "mlp-stack[postgres]"'
        ) from error
    _ask_after_idling(engine)
    return engine


def _ask_after_idling(engine: sa.Engine) -> None:
    """Ask a connection whether it lives before it is handed out, unless it did a moment ago.

    As SQLAlchemy's ``pool_pre_ping``, which asks each time, and takes as long as the statement that follows.
    """

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: Any) -> None:
        record.info["used_at"] = monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        if monotonic() - record.info.get("used_at", 0.0) > _TRUSTED_SECONDS and not _lives(connection):
            raise sa.exc.DisconnectionError("the connection was lost while it was idle")


def _lives(connection: Any) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except Exception:  # whatever the driver says, another connection is tried
        return False
    return True


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turns the drivers' errors about the database's state into ours; errors of our own SQL pass as they are."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise DatabaseUnavailable("all connections to the database are in use: try again") from error
    except DBAPIError as error:
        if _is_full(error):
            raise StorageFull("the disk of the database is full: nothing was written; free some space") from error
        if isinstance(error, OperationalError) or error.connection_invalidated:
            reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
            raise DatabaseUnavailable(f"the database does not answer: {reason}") from error
        raise


def _is_full(error: DBAPIError) -> bool:
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        # Errors 13 and 10 of https://www.sqlite.org/rescode.html: no room, or a failed write of a page.
        return original.sqlite_errorname in ("SQLITE_FULL", "SQLITE_IOERR_WRITE")
    return getattr(original, "sqlstate", None) == "53100"  # disk_full, PostgreSQL Appendix A


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that can say what happens to a row that is there: SQLite and PostgreSQL have the same clause."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    # Imported only where it is used: it costs a tenth of the start-up in laptop mode.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


class UTCDateTime(sa.types.TypeDecorator[Any]):
    """Aware UTC moments: timestamptz in PostgreSQL, ISO text in SQLite; naive times are refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"naive time {value!r}: times in the database are aware UTC")
        return value if dialect.name == "postgresql" else value.astimezone(now().tzinfo).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        zone = now().tzinfo
        return value.astimezone(zone) if dialect.name == "postgresql" else value.replace(tzinfo=zone)


class _JSONColumn(sa.types.TypeDecorator[Any]):
    """PostgreSQL's dialect is imported only where it is used: it costs a tenth of the start-up in laptop mode."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name != "postgresql":
            return self.impl_instance
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))


def json_column() -> sa.types.TypeEngine[Any]:
    """The type of a JSON column: jsonb in PostgreSQL, text in SQLite; SQL NULL for None."""
    return _JSONColumn()
