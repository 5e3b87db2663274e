"""A lock by which others see that this process lives: held for as long as it does, freed by its death at once.

PostgreSQL frees an advisory lock when the session that took it ends, and a killed process's sockets are closed by the
kernel (PostgreSQL documentation, section 13.3.5; the Ruby queue Que works so). A host that is lost with its network
closes nothing: then the lease ends by itself.
"""

import logging
import selectors
import threading

import sqlalchemy as sa

from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: How soon a session that was lost, or a lock that a sweep has just tried, is asked for again.
_PAUSE_SECONDS = 0.05
_PAUSE_SECONDS_MAX = 1.0
#: A session that the server has ended is seen at once; one that has silently gone, by a query as often as this.
_LOOK_SECONDS = 1.0
_ASK_EVERY = 5
_CLOSE_SECONDS = 5.0

_TRY = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:owner, 4789))")


class OwnerLock:
    """The lock of one owner of jobs, from start() to close(), and the thread that looks after it."""

    def __init__(self, database: Database, owner_id: str) -> None:
        self._database = database
        self._owner_id = owner_id
        self._held = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlp-job-owner", daemon=True)

    @property
    def is_held(self) -> bool:
        """Whether others see this owner alive, as far as is known."""
        return self._held.is_set()

    def start(self, timeout_seconds: float) -> None:
        """Take the lock; returns when it is held, or after that time, when the thread goes on trying."""
        self._thread.start()
        self._held.wait(timeout_seconds)

    def close(self) -> None:
        """Free the lock."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        pause_seconds = _PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                self._hold()
            except sa.exc.SQLAlchemyError as error:
                if self._held.is_set():
                    _log.warning("the lock that shows this worker alive is lost and taken again: %s", error)
            pause_seconds = _PAUSE_SECONDS if self._held.is_set() else min(2 * pause_seconds, _PAUSE_SECONDS_MAX)
            self._held.clear()
            self._stopping.wait(pause_seconds)

    def _hold(self) -> None:
        """Take the lock if it is free, and look after it until it is lost or no longer wanted."""
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try:
                if connection.execute(_TRY, {"owner": self._owner_id}).scalar_one():
                    self._held.set()
                    self._look_after(connection)
            finally:
                # Closed for good, not given back: a pooled session would go on holding the lock.
                connection.invalidate()

    def _look_after(self, connection: sa.Connection) -> None:
        session = connection.connection.dbapi_connection
        assert session is not None
        with selectors.DefaultSelector() as selector:
            selector.register(session.fileno(), selectors.EVENT_READ)
            looks = 0
            while not self._stopping.is_set():
                has_word = selector.select(_LOOK_SECONDS)
                looks += 1
                if has_word or looks % _ASK_EVERY == 0:
                    connection.execute(sa.text("SELECT 1"))
