"""Those who watch jobs on their way in this process: one look a second at all of their rows, whoever they are.

The end of a job is told by Waiters, and sooner; this is for what comes before it.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlp.jobs import store
from mlp.jobs.job import Job
from mlp.periodic import Periodic, PeriodicThread
from mlp.storage.database import Database

LOOK_SECONDS = 1.0
#: Well below the number of parameters that SQLite takes in one statement (32,766).
_IDS_OF_ONE_QUERY = 1000
_CLOSE_SECONDS = 10.0

#: Told of a job as it is now, without its result; called by the looking thread, and quick.
Listener = Callable[[Job], None]


class Watchers:
    """Listeners by job; safe for use by several threads. The thread that looks runs from start() to close()."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)
        self._seen: dict[str, Job] = {}
        self._thread = PeriodicThread("mlp-job-watch", [Periodic("job progress", LOOK_SECONDS, self.look)])

    def start(self) -> None:
        """Begin to look; without listeners a look is no query."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._thread.close(_CLOSE_SECONDS)

    @contextmanager
    def following(self, job_id: str, listener: Listener) -> Iterator[None]:
        """Within it the listener is told when the job's row has changed; register first and read the row then."""
        with self._lock:
            self._listeners[job_id].append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners[job_id].remove(listener)
                if not self._listeners[job_id]:
                    del self._listeners[job_id]
                    self._seen.pop(job_id, None)

    def look(self) -> None:
        """Tell what has changed since the last look: one query for a thousand jobs."""
        with self._lock:
            job_ids = list(self._listeners)
        for start in range(0, len(job_ids), _IDS_OF_ONE_QUERY):
            with self._database.reading() as connection:
                found = store.list_by_ids(connection, job_ids[start : start + _IDS_OF_ONE_QUERY])
            for job in found:
                self._tell(job)

    def _tell(self, job: Job) -> None:
        with self._lock:
            # Whoever left meanwhile has taken away what was seen: it must not come back.
            listeners = list(self._listeners.get(job.id, ()))
            is_new = bool(listeners) and self._seen.get(job.id) != job
            if is_new:
                self._seen[job.id] = job
        if is_new:
            for listener in listeners:
                listener(job)
