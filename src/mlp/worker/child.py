"""One process of a worker: its own stack, with the models it has loaded, and the jobs it runs one after the other.

A message wakes it; besides, it looks for jobs each second, so that neither a lost message nor an absent broker
leaves a job lying. It is forked from a parent that holds no connection it would use.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Coroutine, Sequence
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

from mlp import crash_points
from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import MLPError, Unavailable
from mlp.jobs import metrics
from mlp.jobs.bell import CANCELLING
from mlp.jobs.keeper import Keeper
from mlp.jobs.retry import TIMED_OUT
from mlp.jobs.runner import Runner
from mlp.jobs.task import JobContext
from mlp.periodic import Periodic, PeriodicThread
from mlp.role import WORKER_CHILD
from mlp.worker.vital_signs import VitalSigns

_log = logging.getLogger(__name__)

#: A start that failed (the database is away) is tried again after this pause, doubled up to the longest.
_START_PAUSE_SECONDS = 0.5
_START_PAUSE_SECONDS_MAX = 10.0
_START_SECONDS = 120.0
#: How long one message may keep a process at work: far below RabbitMQ's time for a message to be confirmed.
_MESSAGE_SECONDS_MAX = 10.0
_PULSE_SECONDS = 1.0
#: How a process ends that could not stop a task.
EXIT_TIMED_OUT = 71


class WorkerChild:
    """Starts in the background, so that an absent database delays it and does not end it.

    Args:
        queues: The broker's queues that this worker takes.
        is_draining: Whether the worker shall take nothing new.
        signs: Where it shows that it lives.
    """

    def __init__(self, settings: Settings, queues: Sequence[str], is_draining: Event, signs: VitalSigns) -> None:
        self._settings = settings
        self._queues = list(queues)
        self._is_draining = is_draining
        self._signs = signs
        self._started = threading.Event()
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        self._messages = threading.Event()
        self._look = threading.Event()
        self._pulse = PeriodicThread("mlp-child-pulse", [Periodic("pulse", _PULSE_SECONDS, signs.show)])

    def start(self) -> None:
        """Begin; returns at once."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._signs.begin(os.getpid())
        # Made after the fork: two processes with one loop's sockets would swallow each other's wake-ups.
        self._loop = asyncio.new_event_loop()
        threads = (
            threading.Thread(target=self._loop.run_forever, name="mlp-child-loop", daemon=True),
            threading.Thread(target=self._start_and_look, name="mlp-child-look", daemon=True),
        )
        for thread in threads:
            thread.start()

    def run_job(self, job_id: str) -> bool:
        """Whether the message is done with: False where this worker takes no more jobs, and another shall have it.

        One message stands for all jobs that wait: takes what is next, one group after the other, until nothing waits
        or the message has been held for long enough. What came of the jobs stands in their rows. A message that comes
        too early (this process is still starting) is dropped: the rows keep the jobs.
        """
        if not self._started.wait(_START_SECONDS):
            _log.warning("not started yet, the job waits for another process", extra={"job_id": job_id})
            return True
        hold_until = monotonic() + _MESSAGE_SECONDS_MAX
        self._messages.set()
        with self._turn:
            self._messages.clear()
            while not self._is_draining.is_set():
                if not self._has_run_some() or monotonic() > hold_until:
                    self._look.set()
                    crash_points.reach("before_ack")
                    return True
        return False

    def close(self) -> None:
        """Give back what runs, record what was predicted, end; bounded by the time for shutting down."""
        self._stopping.set()
        if not self._started.is_set():
            return
        self._keeper.give_back_all()
        self._runner.close()
        self._keeper.close()
        self._pulse.close(_PULSE_SECONDS)
        self._run(self._stack.close(), 4 * self._settings.shutdown_seconds)

    def _start_and_look(self) -> None:
        pause_seconds = _START_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                self._start()
                break
            except MLPError as error:
                _log.warning("a worker's process cannot start yet: %s", error.message)
            except Exception:
                metrics.failures.labels("mlp-child-start").inc()
                _log.exception("a worker's process failed to start and tries again")
            self._stopping.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _START_PAUSE_SECONDS_MAX)
        self._look_until_stopped()

    def _start(self) -> None:
        # Frameworks are imported here, after the fork: what OpenMP and onnxruntime start does not survive one.
        from mlp.stack import Stack

        began = monotonic()
        self._stack = Stack(self._settings, role=WORKER_CHILD)
        leases = self._stack.jobs.leases
        leases.start()
        self._keeper = Keeper(leases, self._give_up)
        self._runner = Runner(self._stack, leases, self._keeper, seconds_max=self._settings.job_seconds_max)
        self._stack.jobs.notices.on_cancelling(self._keeper.cancel)
        if self._stack.bell is not None:
            self._stack.bell.hear(CANCELLING, self._keeper.cancel_id)
        self._run(self._stack.start(), _START_SECONDS)
        self._keeper.start()
        self._pulse.start()
        self._started.set()
        _log.info("a worker's process has started in %.1f s", monotonic() - began)

    def _look_until_stopped(self) -> None:
        """Run what waits although no message came, one job after the other while there are any."""
        while not self._stopping.is_set():
            self._look.wait(self._settings.job_poll_seconds)
            self._look.clear()
            if not self._is_draining.is_set() and self._turn.acquire(blocking=False):
                try:
                    # A message's turn comes first: its thread is Celery's own, which waits for nothing else.
                    while not (self._is_draining.is_set() or self._messages.is_set()) and self._has_run_some():
                        pass
                finally:
                    self._turn.release()

    def _has_run_some(self) -> bool:
        """Whether jobs waited: they have been run."""
        self._signs.look()
        try:
            claims = self._runner.claim_next(broker_queues=self._queues)
            if claims:
                self._signs.begin_job()
                self._runner.run(claims)
            return bool(claims)
        except Unavailable:
            return False  # the database is away, as the drain and the keeper say already
        except Exception:
            metrics.failures.labels("mlp-child-look").inc()
            _log.exception("looking for jobs failed and goes on")
            return False
        finally:
            self._signs.end_job()

    def _give_up(self, contexts: Sequence[JobContext]) -> None:
        """A task that does not stop takes its process with it; Celery starts another."""
        self._stack.jobs.leases.give_up([context.claim for context in contexts], TIMED_OUT)
        os._exit(EXIT_TIMED_OUT)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        """The worker ends at once: its time for finishing is over."""
        self._stopping.set()
        if self._started.is_set():
            # In a thread: the one that the signal interrupted may hold any lock.
            helper = threading.Thread(target=self._keeper.give_back_all, daemon=True)
            helper.start()
            helper.join(2.0)
        os._exit(0)

    def _run(self, work: Coroutine[Any, Any, None], timeout_seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_seconds)
