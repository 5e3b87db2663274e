"""Those who wait for a job's end in this process: a future each, no thread."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from mlp.jobs.job import Job


class Waiters:
    """Futures by job; safe for use by several threads.

    A future's result is the ended job, or None: look at the row. Register first and read the row then: an end that
    comes in between is seen by one of the two.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._futures: defaultdict[str, set[Future[Job | None]]] = defaultdict(set)
        self._is_closed = False

    @contextmanager
    def watching(self, job_id: str) -> Iterator["Future[Job | None]"]:
        """A future that is done soon after the job has ended (after close(): at once); forgotten on leaving."""
        future: Future[Job | None] = Future()
        with self._lock:
            if self._is_closed:
                future.set_result(None)
            else:
                self._futures[job_id].add(future)
        try:
            yield future
        finally:
            with self._lock:
                waiting = self._futures.get(job_id)
                if waiting is not None:
                    waiting.discard(future)
                    if not waiting:
                        del self._futures[job_id]

    def wake(self, job_id: str, job: Job | None = None) -> None:
        """Wake whoever waits for this job."""
        with self._lock:
            waiting = self._futures.pop(job_id, set())
        for future in waiting:
            # A future whose waiter has given up is cancelled, and takes no result.
            if future.set_running_or_notify_cancel():
                future.set_result(job)

    def close(self) -> None:
        """Wake everybody, and let nobody wait from now on."""
        with self._lock:
            self._is_closed = True
        for job_id in self.job_ids():
            self.wake(job_id)

    def job_ids(self) -> list[str]:
        """The jobs that somebody waits for."""
        with self._lock:
            return list(self._futures)
