"""The parent of a worker's processes: Celery's consumer of RabbitMQ, and a thread that reports and keeps house.

The parent runs no job and imports no framework: its children are forked from it, and load models themselves.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mlp import __version__
from mlp.clock import new_id, now
from mlp.config import Settings
from mlp.errors import Unavailable
from mlp.jobs.broker import RUN_JOB, SOFT_SHUTDOWN_SECONDS, make_celery, select_queues
from mlp.jobs.queues import Queues
from mlp.jobs.service import JobService
from mlp.jobs.workers import WorkerPhase, WorkerRegister, WorkerState
from mlp.observability import component_metrics
from mlp.observability.metrics import forget_process
from mlp.periodic import Periodic, PeriodicThread
from mlp.registry.service import RegistryService
from mlp.retention import RETENTION_SECONDS, Retention
from mlp.stack import Places, open_database, open_result_files
from mlp.storage.artefacts import ArtefactStore
from mlp.storage.election import Election
from mlp.worker.child import WorkerChild
from mlp.worker.exposition import Exposition
from mlp.worker.fork_gate import ForkGate
from mlp.worker.stopping import stopping_worker
from mlp.worker.vital_signs import VitalSigns
from mlp.worker.watchdog import Watchdog

_log = logging.getLogger(__name__)

#: Any fixed number: whoever holds this advisory lock does the periodic work.
_LEADER_LOCK = 4789_0002
_BEAT_SECONDS = 5.0
#: A worker that was not heard of for a day is forgotten.
_SILENT_SECONDS = 86_400.0
_CLOSE_SECONDS = 10.0


class WorkerParent:
    """One worker from run() to its end; made once in a process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._app = make_celery(settings)
        self._queues = select_queues(self._app, settings)
        # Shared with the children, which are forked after it is made.
        self._is_draining = multiprocessing.get_context("fork").Event()
        self._signs = VitalSigns()
        self._child = WorkerChild(settings, self._queues, self._is_draining, self._signs)
        self._gate = ForkGate()
        self._database = open_database(settings)
        self._register = WorkerRegister(self._database)
        self._election = Election(
            self._database, _LEADER_LOCK, lambda is_leader: component_metrics.leader.set(int(is_leader))
        )
        self._state = WorkerState(
            id=f"{socket.gethostname()[:60]}:{new_id()[-8:]}",
            host=socket.gethostname(),
            pid=os.getpid(),
            release=__version__,
            queues=tuple(self._queues),
            processes=settings.worker_processes,
            state=WorkerPhase.RUNNING,
            started_at=now(),
        )
        self._worker: Any = None
        self._is_stopping = False
        self._known_pids: set[int] = set()
        self._exposition = Exposition(settings.worker_port, self._gate, self.check)
        self._periodic = PeriodicThread("mlp-worker-periodic", self._works())

    def run(self) -> int:
        """Take jobs until a signal; the exit code.

        SIGTERM ends softly: what runs has twenty seconds, then it is given back.
        """
        self._declare_task()
        # Two lines for every message, of which a busy worker gets hundreds a second.
        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).setLevel(logging.WARNING)
        component_metrics.release.labels(__version__).set(1)
        component_metrics.start_time_seconds.set(now().timestamp())
        self._exposition.start()
        self._periodic.start()
        try:
            self._worker = stopping_worker(self._app)(
                on_stop=self._begin_to_stop,
                hostname=f"{self._state.id}@{self._state.host}",
                pool="prefork",
                concurrency=self._settings.worker_processes,
                queues=self._queues,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                loglevel="WARNING",
                quiet=True,
            )
            _log.info("the worker %s takes %s", self._state.id, ", ".join(self._queues))
            self._worker.start()
            return int(self._worker.exitcode or 0)
        finally:
            self._close()

    def check(self) -> tuple[bool, dict[str, Any]]:
        """Whether the worker is well (it has processes), and what it does."""
        pids = self._pids()
        consumer = getattr(self._worker, "consumer", None)
        connection = getattr(consumer, "connection", None)
        report = {
            "status": "live" if pids else "starting",
            "worker": self._state.id,
            "queues": self._queues,
            "processes": len(pids),
            "is_draining": self._is_draining.is_set(),
            "is_connected": bool(connection is not None and connection.connected),
        }
        return bool(pids), report

    def _declare_task(self) -> None:
        from celery import signals
        from celery.exceptions import Reject

        child = self._child

        def run_job(job_id: str) -> None:
            if not child.run_job(job_id):
                raise Reject("this worker takes no more jobs", requeue=True)

        self._app.task(run_job, name=RUN_JOB, ignore_result=True)
        # Weak references are Celery's default: these would be gone before the first process starts.
        signals.setup_logging.connect(_leave_logging_alone, weak=False)
        signals.worker_process_init.connect(lambda **_: self._become_child(), weak=False)
        signals.worker_process_shutdown.connect(lambda **_: child.close(), weak=False)

    def _begin_to_stop(self) -> None:
        """The processes end what they run, and begin nothing more; whoever takes too long gives its job back."""
        self._is_stopping = True
        self._is_draining.set()
        threading.Thread(target=self._end_late_processes, name="mlp-worker-stop", daemon=True).start()

    def _end_late_processes(self) -> None:
        time.sleep(SOFT_SHUTDOWN_SECONDS)
        for pid in self._pids():
            _log.warning("a job has not ended in time and is given back", extra={"pid": pid})
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(_CLOSE_SECONDS)
        _log.error("the worker's processes do not end: they are left to the kernel")
        os._exit(1)

    def _become_child(self) -> None:
        """First thing in a forked process: let go of what is the parent's, then start."""
        os.close(self._exposition.fileno())
        self._database.dispose(is_forked=True)
        self._child.start()

    def _works(self) -> list[Periodic]:
        jobs = JobService(self._database, self._settings, open_result_files(self._settings))
        artefacts = ArtefactStore(
            Places(self._settings.folder).artefacts, unpacked_bytes_max=self._settings.unpacked_bytes_max
        )
        registry = RegistryService(self._database, artefacts, jobs, self._settings)
        retention = Retention(self._settings, self._database, registry, jobs.large_results)
        watchdog = Watchdog(
            Queues(self._database, self._settings), self._queues, self._signs, self._pids, self._end_at_once
        )
        inside = self._gate.around
        return [
            Periodic("worker register", _BEAT_SECONDS, inside(self._beat), is_due_at_once=True),
            Periodic("stuck processes", _BEAT_SECONDS, watchdog.kill_stuck),
            Periodic("idle worker", _BEAT_SECONDS, inside(lambda: self._unless_idle_by_order(watchdog.end_if_idle))),
            Periodic("election", _BEAT_SECONDS, inside(self._election.is_leader), is_due_at_once=True),
            Periodic("retention", RETENTION_SECONDS, inside(self._election.only_leader(retention.delete_old))),
            Periodic("silent workers", RETENTION_SECONDS, inside(self._election.only_leader(self._forget_silent))),
        ]

    def _unless_idle_by_order(self, look: Callable[[], None]) -> None:
        if not self._is_stopping and not self._is_draining.is_set():
            look()

    def _end_at_once(self, exit_code: int) -> None:
        """End without waiting for anything: whatever holds this worker up must not hold up its end."""
        with suppress(Exception):
            self._register.leave(self._state.id)
        os._exit(exit_code)

    def _beat(self) -> None:
        self._forget_dead()
        phase = WorkerPhase.DRAINING if self._is_draining.is_set() else WorkerPhase.RUNNING
        is_draining = self._register.beat(replace(self._state, state=phase))
        if not self._is_stopping and is_draining != self._is_draining.is_set():
            self._drain(is_draining)

    def _drain(self, is_draining: bool) -> None:
        """Take nothing new, or take again; what runs goes on. Celery's consumer is told on its own thread."""
        consumer = getattr(self._worker, "consumer", None)
        if consumer is None or consumer.task_consumer is None:
            return  # not connected: asked again at the next beat
        change = consumer.cancel_task_queue if is_draining else consumer.add_task_queue
        for queue in self._queues:
            consumer.call_soon(change, queue)
        if is_draining:
            self._is_draining.set()
        else:
            self._is_draining.clear()
        _log.info("the worker takes no new jobs" if is_draining else "the worker takes jobs again")

    def _forget_silent(self) -> None:
        self._register.forget_silent(_SILENT_SECONDS)

    def _forget_dead(self) -> None:
        """Drop the gauges of processes that are gone; prometheus_client would show them for ever."""
        pids = self._pids()
        for pid in self._known_pids - pids:
            forget_process(pid)
        self._known_pids = pids

    def _pids(self) -> set[int]:
        pool = getattr(getattr(self._worker, "pool", None), "_pool", None)
        return set() if pool is None else {process.pid for process in list(pool._pool)}

    def _close(self) -> None:
        self._periodic.close(_CLOSE_SECONDS)
        try:
            self._register.leave(self._state.id)
        except Unavailable as error:
            _log.warning("the worker could not sign off: %s", error.message)
        self._election.close()
        self._exposition.close()
        self._database.close()


def _leave_logging_alone(**_: object) -> None:
    """A listener to this signal is what keeps Celery from setting up logging of its own."""
