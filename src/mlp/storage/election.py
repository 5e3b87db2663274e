"""Elects one process of many for what must be done once: whoever holds an advisory lock of the database.

PostgreSQL frees a session's lock when the session ends, so that a dead leader is followed by another within
seconds (PostgreSQL documentation, section 13.3.5). An SQLite file has one owner, who is always the leader.
"""

import logging
import threading
from collections.abc import Callable

import sqlalchemy as sa

from mlp.errors import Unavailable
from mlp.storage.database import Database

_log = logging.getLogger(__name__)


class Election:
    """One process's part in the election for a key; safe for use by several threads.

    The lock is held by a connection of its own, which is looked after at every question: between two questions a
    leader may have lost the lock unnoticed, so that what it does must bear to be done twice, now and then.
    """

    def __init__(
        self, database: Database, key: int, on_change: Callable[[bool], None] = lambda _is_leader: None
    ) -> None:
        self._database = database
        self._key = key
        self._on_change = on_change
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self._was_leader = False

    def is_leader(self) -> bool:
        """Whether this process holds the lock now, or has just got it; blocks for as long as the database takes."""
        if self._database.is_sqlite:
            return True
        with self._lock:
            is_leader = False
            try:
                is_leader = self._still_holds() or self._try_to_get()
            finally:  # a leader that loses the database is told so before the error leaves
                self._note(is_leader)
            return is_leader

    def _note(self, is_leader: bool) -> None:
        if self._was_leader != is_leader:
            self._was_leader = is_leader
            _log.info("leads the periodic work" if is_leader else "leads the periodic work no longer")
            self._on_change(is_leader)

    def only_leader(self, work: Callable[[], object]) -> Callable[[], None]:
        """The work, done only in the process that leads."""

        def turn() -> None:
            if self.is_leader():
                work()

        return turn

    def close(self) -> None:
        """Step back, so that another process may lead at once."""
        with self._lock:
            self._forget()

    def _still_holds(self) -> bool:
        if self._connection is None:
            return False
        try:
            # A query over the session that holds the lock: if the session lives, so does the lock.
            self._connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            self._forget()
            return False
        return True

    def _try_to_get(self) -> bool:
        try:
            connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except sa.exc.SQLAlchemyError as error:
            raise Unavailable(f"the database does not answer: {type(error).__name__}") from error
        try:
            is_mine = connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar_one()
        except sa.exc.SQLAlchemyError:
            connection.invalidate()
            connection.close()
            return False
        if is_mine:
            self._connection = connection
            return True
        connection.close()
        return False

    def _forget(self) -> None:
        if self._connection is not None:
            # Closed for good, not given back: a pooled session would go on holding the lock.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
