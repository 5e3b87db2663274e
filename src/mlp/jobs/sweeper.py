"""What must happen although nobody asks: ended leases are taken up, lost notices made good, old jobs deleted."""

from mlp.jobs import store
from mlp.jobs.recovery import Recovery
from mlp.jobs.waiters import Waiters
from mlp.periodic import Periodic, PeriodicThread
from mlp.storage.database import Database

#: A dead worker's job waits for the end of its lease plus this at most.
_RECOVER_SECONDS = 1.0
#: A process that has died is seen by the second look at the latest, and its jobs begin again at once.
_ORPHANED_SECONDS = 0.5
#: How soon a waiter learns of an end whose notice was lost, or that another process of this machine brought about.
_WAKE_SECONDS = 1.0
_WAKE_SECONDS_AMONG_PROCESSES = 0.1
#: Well below the number of parameters that SQLite takes in one statement (32,766).
_IDS_OF_ONE_QUERY = 1000
_PURGE_SECONDS = 600.0
_CLOSE_SECONDS = 10.0
#: Rows of one DELETE: a transaction of milliseconds, which nobody notices who waits for SQLite's write lock.
_PURGE_ROWS = 500


class Sweeper:
    """Two threads from start() to close(); several processes may sweep one database at the same time.

    Args:
        is_alone: Whether this process is the only one that runs this database's jobs, as far as is known.
    """

    def __init__(
        self, database: Database, recovery: Recovery, waiters: Waiters, *, retention_seconds: float, is_alone: bool
    ) -> None:
        self._database = database
        self._waiters = waiters
        self._retention_seconds = retention_seconds
        #: Who needs jobs longer than that.
        self.spared: list[store.IsNeeded] = []
        wake_seconds = _WAKE_SECONDS if is_alone else _WAKE_SECONDS_AMONG_PROCESSES
        self._threads = (
            PeriodicThread(
                "mlp-job-sweep",
                [
                    Periodic("job recovery", _RECOVER_SECONDS, recovery.recover),
                    Periodic("job owners", _ORPHANED_SECONDS, recovery.recover_orphaned),
                    Periodic("job expiry", _RECOVER_SECONDS, recovery.expire),
                    Periodic("job purge", _PURGE_SECONDS, self.purge),
                ],
            ),
            # Apart, since a waiter must not wait for a long purge.
            PeriodicThread("mlp-job-wake", [Periodic("job waiters", wake_seconds, self.wake_finished)]),
        )

    def start(self) -> None:
        """Begin to sweep."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Sweep no more."""
        for thread in self._threads:
            thread.close(_CLOSE_SECONDS)

    def wake_finished(self) -> None:
        """Wake the waiters of jobs that have ended: one query for a thousand of them."""
        job_ids = self._waiters.job_ids()
        for start in range(0, len(job_ids), _IDS_OF_ONE_QUERY):
            with self._database.reading() as connection:
                final_ids = store.list_final_ids(connection, job_ids[start : start + _IDS_OF_ONE_QUERY])
            for job_id in final_ids:
                self._waiters.wake(job_id)

    def purge(self) -> int:
        """How many jobs were deleted whose retention is over."""
        count = 0
        while True:
            with self._database.transaction() as connection:
                deleted = store.purge(connection, self._retention_seconds, _PURGE_ROWS, self.spared)
            count += deleted
            if deleted < _PURGE_ROWS:
                return count
