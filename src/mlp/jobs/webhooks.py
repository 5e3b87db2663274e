"""Calls whoever asked to be told of a job's end: at once by a notice, again after a failure, at least once in all.

The row of a webhook decides whose turn it is, by a lease: no transaction is open during a call, several processes
share the work, and what a dead process had begun is begun again.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from itertools import islice

from mlp import crash_points
from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import MLPError
from mlp.jobs import metrics, webhooks_store
from mlp.jobs.job import Job
from mlp.jobs.service import JobService
from mlp.jobs.webhook_delivery import DELAYS_SECONDS, Delivery
from mlp.jobs.webhooks_store import Call
from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: Calls under way at a time; they wait for receivers, so that threads cost little.
THREADS = 8
#: What a notice did not tell is found within this, or later where a look takes long: it has a twentieth of the time.
_LOOK_SECONDS = 1.0
_LOOK_SHARE = 20.0
_LOOK_ROWS = 200
#: After a round; what ends meanwhile is asked for together.
_GATHER_SECONDS = 0.02
#: Ends that wait for the thread at most; what comes beyond them is found by the look.
_ENDED_MAX = 10_000
_IDS_OF_ONE_QUERY = 500
#: Longer than a call takes; a process that died meanwhile had it for so long.
LEASE_SECONDS = 30.0
_CLOSE_SECONDS = 5.0


class Webhooks:
    """The thread that finds what is due and those that call; ended() never blocks. Start and close it once.

    Args:
        delays_seconds: Pauses between the attempts; the last one is repeated until a day is over.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobService,
        settings: Settings,
        *,
        delays_seconds: Sequence[float] = DELAYS_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._delivery = Delivery(database, jobs, settings, delays_seconds)
        self._lock = threading.Lock()
        # Ids of jobs that have ended, whether they have a webhook or not, and of those that have one.
        self._ended: dict[str, None] = {}
        self._due: dict[str, None] = {}
        self._under_way = 0
        self._look_at = 0.0
        self._is_more = False
        self._trouble: str | None = None
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._find, name="mlp-webhooks", daemon=True),
            *(threading.Thread(target=self._work, name=f"mlp-webhook-{n}", daemon=True) for n in range(THREADS)),
        ]

    def start(self) -> None:
        """Begin to call."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Begin no further call and let those under way end, for seconds; what is cut off is called again."""
        self._stopping.set()
        self._bell.set()
        for _thread in range(THREADS):
            self._calls.put(None)
        deadline = monotonic() + _CLOSE_SECONDS
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - monotonic()))

    def ended(self, jobs: Sequence[Job]) -> None:
        """Have whoever waits for the end of these jobs called soon; for Notices.on_finished."""
        for job in jobs:
            self.ended_elsewhere(job.id)

    def ended_elsewhere(self, job_id: str) -> None:
        """As ended(), for a job of which another process has said that it has ended."""
        with self._lock:
            if len(self._ended) < _ENDED_MAX:
                self._ended[job_id] = None
        self._bell.set()

    def _find(self) -> None:
        while not self._stopping.is_set():
            self._bell.wait(max(0.0, self._look_at - monotonic()))
            self._bell.clear()
            try:
                self._turn()
                self._trouble = None
            except MLPError as error:
                self._note_trouble(error)
            except Exception:
                metrics.failures.labels("mlp-webhooks").inc()
                _log.exception("the thread of webhooks failed and goes on")
            self._stopping.wait(_GATHER_SECONDS)

    def _turn(self) -> None:
        self._sift()
        if monotonic() >= self._look_at:
            self._look()
        with self._lock:
            free = THREADS - self._under_way
        job_ids = list(islice(self._due, free))
        if not job_ids:
            return
        crash_points.reach("before_webhook_taken")
        with self._database.transaction() as connection:
            calls = webhooks_store.take(connection, job_ids, self._lease_seconds)
        for job_id in job_ids:
            del self._due[job_id]
        with self._lock:
            self._under_way += len(calls)
        for call in calls:
            self._calls.put(call)
        if self._due:
            self._bell.set()
        elif self._is_more:
            self._look_at = 0.0

    def _sift(self) -> None:
        """Ask which of the jobs that have ended have a webhook."""
        with self._lock:
            ended, self._ended = list(self._ended), {}
        for start in range(0, len(ended), _IDS_OF_ONE_QUERY):
            with self._database.reading() as connection:
                found = webhooks_store.list_open_ids(connection, ended[start : start + _IDS_OF_ONE_QUERY])
            self._due.update(dict.fromkeys(found))

    def _look(self) -> None:
        """Find what is due without a notice: repetitions, what another process left, ends whose notice was lost."""
        begun_at = monotonic()
        # A look that fails is not repeated at once.
        self._look_at = begun_at + _LOOK_SECONDS
        with self._database.reading() as connection:
            found = webhooks_store.list_due_ids(connection, _LOOK_ROWS)
            metrics.webhooks_open.set(webhooks_store.count_open(connection))
        self._due.update(dict.fromkeys(found))
        self._is_more = len(found) == _LOOK_ROWS
        self._look_at = monotonic() + max(_LOOK_SECONDS, _LOOK_SHARE * (monotonic() - begun_at))

    def _note_trouble(self, error: MLPError) -> None:
        # Once for each new reason: an outage of an hour must not fill the log.
        if self._trouble != error.code:
            self._trouble = error.code
            _log.warning("webhooks have to wait: %s", error)

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            if call is None or self._stopping.is_set():
                return
            try:
                self._delivery.deliver(call)
            except MLPError as error:
                # Its lease ends, and it is made again: once more than needed at worst.
                _log.warning("the outcome of a webhook could not be noted: %s", error, extra={"job_id": call.job_id})
            except Exception:
                metrics.failures.labels("mlp-webhook").inc()
                _log.exception("a webhook failed and is repeated", extra={"job_id": call.job_id})
            finally:
                with self._lock:
                    self._under_way -= 1
                self._bell.set()
