"""Finds a worker's processes that are stuck, and a worker that lives and takes nothing: both end, and begin anew.

Celery has had several faults after which a worker looks well and consumes nothing; a container that ends is started
again, one that hangs is not.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from mlp.clock import monotonic
from mlp.jobs.queues import Queues
from mlp.worker.vital_signs import VitalSigns

_log = logging.getLogger(__name__)

#: A process that shows nothing for so long holds the interpreter's lock, or is stopped: its leases are over long since.
STUCK_SECONDS = 60.0
#: Jobs that wait for so long, while nobody here has even looked for any: the worker does not do what it is for.
IDLE_SECONDS = 60.0
EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h


class Watchdog:
    """Looks at one worker, for its periodic thread.

    Args:
        queue_names: The broker's queues that the worker takes.
        pids: Its processes now.
        end_worker: Ends the worker with an exit code.
    """

    def __init__(
        self,
        queues: Queues,
        queue_names: Sequence[str],
        signs: VitalSigns,
        pids: Callable[[], Collection[int]],
        end_worker: Callable[[int], object],
    ) -> None:
        self._queues = queues
        self._queue_names = set(queue_names)
        self._signs = signs
        self._pids = pids
        self._end_worker = end_worker
        self._began_at = monotonic()

    def kill_stuck(self) -> None:
        """Kill the processes that show nothing any more; Celery starts others in their places."""
        for pid in self._pids():
            sign = self._signs.of(pid)
            if sign is not None and monotonic() - sign.shown_at > STUCK_SECONDS:
                _log.error("a process has shown nothing for %.0f s and is killed", STUCK_SECONDS, extra={"pid": pid})
                if sys.platform != "win32":  # where workers are not forked
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def end_if_idle(self) -> None:
        """End the worker if jobs wait that it could take, and none of its processes has looked for any for a while."""
        if self._has_looked_lately():
            return
        waiting = [
            queue
            for queue in self._queues.list_queues()
            if queue.name in self._queue_names and not queue.is_paused and (queue.oldest_seconds or 0.0) > IDLE_SECONDS
        ]
        if waiting:
            names = ", ".join(queue.name for queue in waiting)
            _log.critical(
                "jobs in %s have waited for more than %.0f s and this worker looks for none: it ends, to begin anew",
                names,
                IDLE_SECONDS,
            )
            self._end_worker(EXIT_CODE)

    def _has_looked_lately(self) -> bool:
        """Whether somebody looked for jobs lately, or every process is at one; at its beginning a worker has time."""
        since = monotonic() - IDLE_SECONDS
        signs = [sign for sign in map(self._signs.of, self._pids()) if sign is not None]
        if self._began_at > since or any(sign.looked_at > since for sign in signs):
            return True
        return bool(signs) and all(sign.is_at_job for sign in signs)
