"""The composition root: everything one process holds open, made from settings, started, checked and closed here.

Laptop mode and the deployed stack are the same services over different addresses; no other module opens a
connection, a file of the data folder, or a thread that outlives a call.
"""

import asyncio
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlp import crash_points
from mlp.batches import store as batches_store
from mlp.batches import tasks as batches_tasks
from mlp.batches.service import BatchService
from mlp.clock import now
from mlp.config import Settings
from mlp.errors import MLPError
from mlp.feedback.service import FeedbackService
from mlp.inference import tasks as inference_tasks
from mlp.inference.drain import Drain
from mlp.inference.history import InferenceHistory
from mlp.inference.loaded_models import LoadedModels
from mlp.inference.recorder import Recorder
from mlp.inference.service import InferenceService
from mlp.jobs.bell import FINISHED, Bell
from mlp.jobs.job import DEFAULT_QUEUE
from mlp.jobs.local_worker import LocalWorker
from mlp.jobs.publisher import Publisher
from mlp.jobs.queues import Queues
from mlp.jobs.service import JobService
from mlp.jobs.webhooks import Webhooks
from mlp.jobs.workers import WorkerRegister
from mlp.monitoring.references import read_reference
from mlp.monitoring.service import MonitoringService
from mlp.periodic import Periodic, PeriodicThread
from mlp.registry import tasks as registry_tasks
from mlp.registry.service import RegistryService
from mlp.registry.snapshot import Resolution
from mlp.registry.uploads import QUEUE as REGISTRY_QUEUE
from mlp.retention import RETENTION_SECONDS, Retention
from mlp.role import Role, role_of_server
from mlp.storage import schema
from mlp.storage.artefacts import ArtefactStore
from mlp.storage.database import Database, sqlite_url
from mlp.storage.fetching import ArtefactSource
from mlp.storage.result_files import ResultFiles
from mlp.watch import WATCH_SECONDS, Watch

_log = logging.getLogger(__name__)

#: A wake-up that did not get through is sent again within this and its grace.
PUBLISH_SWEEP_SECONDS = 1.0
#: A batch file whose chunks have decided its end has ended within this, though nobody looks at it.
BATCH_SWEEP_SECONDS = 2.0
#: Importing a task module declares its tasks; named here so that every process knows the same ones.
TASK_MODULES = (batches_tasks, inference_tasks, registry_tasks)


@dataclass(frozen=True)
class Places:
    """Where things lie in a data folder."""

    folder: Path

    @property
    def artefacts(self) -> Path:
        """Versions, by their SHA-256."""
        return self.folder / "artefacts"

    @property
    def spool(self) -> Path:
        """Recorded inferences on their way to the database."""
        return self.folder / "spool"


class Stack:
    """One process's services. Made in a thread, started and closed on the event loop that it answers on.

    Args:
        settings: Read once, by the caller.
        is_leader: Of several processes of one server, the one that does what must be done once.
        role: What this process does, where it is no server.
    """

    def __init__(self, settings: Settings, *, is_leader: bool = True, role: Role | None = None) -> None:
        self.settings = settings
        self.role = role_of_server(settings, is_leader=is_leader) if role is None else role
        crash_points.arm(settings.crash_folder)
        self.places = Places(settings.folder)
        settings.folder.mkdir(parents=True, exist_ok=True)
        self.database = open_database(settings)
        if self.role.migrates:
            schema.upgrade(self.database)
        else:
            schema.check(self.database)
        self.artefacts = ArtefactStore(
            self.places.artefacts, unpacked_bytes_max=settings.unpacked_bytes_max, source=_artefact_source(settings)
        )
        self.jobs = JobService(self.database, settings, open_result_files(settings))
        self.queues = Queues(self.database, settings)
        self.workers_register = WorkerRegister(self.database)
        self.registry = RegistryService(self.database, self.artefacts, self.jobs, settings)
        self.jobs.spare(batches_store.is_needed)
        self.batches = BatchService(self.database, self.jobs, self.registry, settings)
        self.recorder = Recorder(
            self.places.spool, segment_bytes=settings.spool_segment_bytes, bytes_max=settings.spool_bytes_max
        )
        self.loaded_models = LoadedModels(
            settings,
            self.artefacts.open_folder,
            lambda frames, is_durable: self.recorder.write(frames, is_durable=is_durable),
        )
        self.inference = InferenceService(settings, self.registry, self.loaded_models)
        self.history = InferenceHistory(self.database, self.registry.find_signature)
        self.feedback = FeedbackService(self.database, self.registry, settings)
        self.monitoring = MonitoringService(self.database, self.registry, settings)
        self.registry.attach(ensure_loaded=self.inference.ensure_loaded, build_reference=read_reference)
        self.drain = Drain(
            self.database,
            self.places.spool,
            self.recorder.spool,
            self.registry.find_signature,
            [self.monitoring.observe_drained, self.feedback.match_drained],
            interval_seconds=settings.drain_interval_seconds,
        )
        self.workers = self._make_workers()
        self.publisher = Publisher(self.database, settings) if self.role.publishes_jobs else None
        self.bell = Bell(settings) if settings.has_bell else None
        is_calling = self.role.sweeps_jobs and self.jobs.has_webhooks
        self.webhooks = Webhooks(self.database, self.jobs, settings) if is_calling else None
        self._connect_processes()
        self.watch = self._make_watch()
        self.periodic = self._make_periodic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._warming: asyncio.Task[None] | None = None
        self.is_ready = False
        #: True once the process has been told to end; it goes on answering until a proxy has noticed.
        self.is_stopping = False
        self._made_at = now()

    async def start(self, *, is_warming: bool = True) -> None:
        """Begin answering: threads start, and every aliased version is loaded in the background.

        Args:
            is_warming: Load them now; a process that ends in a moment loads only what it is asked for.
        """
        loop = self._loop = asyncio.get_running_loop()
        self.inference.attach(loop)
        await asyncio.to_thread(self.registry.refresh)
        if is_warming:
            # First of all, since it takes longest, and everything below waits for the disk meanwhile.
            self._warming = loop.create_task(self._warm())
        if self.role.sweeps_jobs:
            self.jobs.start()
        self.drain.start()
        if self.publisher is not None:
            self.publisher.start()
        if self.bell is not None:
            self.bell.start()
        if self.webhooks is not None:
            self.webhooks.start()
        await asyncio.to_thread(self._start_workers)
        for thread in self.periodic:
            thread.start()

    def _make_workers(self) -> tuple[LocalWorker, ...]:
        if not self.role.runs_jobs:
            return ()
        threads = self.settings.job_workers
        return self._make_worker(DEFAULT_QUEUE, threads), self._make_worker(REGISTRY_QUEUE, min(1, threads))

    def _connect_processes(self) -> None:
        """What is committed here is told to other processes, and what they tell is heard."""
        if self.publisher is not None:
            self.jobs.notices.on_queued(self.publisher.publish_soon)
        if self.bell is not None:
            self.jobs.notices.on_finished(self.bell.finished)
            self.jobs.notices.on_cancelling(self.bell.cancelling)
            self.bell.hear(FINISHED, self._hear_end)
        if self.webhooks is not None:
            self.jobs.notices.on_finished(self.webhooks.ended)

    def _hear_end(self, job_id: str) -> None:
        self.jobs.wake(job_id)
        if self.webhooks is not None:
            self.webhooks.ended_elsewhere(job_id)

    def _make_worker(self, queue: str, threads: int) -> LocalWorker:
        return LocalWorker(
            self,
            self.jobs.leases,
            self.jobs.notices,
            threads=threads,
            poll_seconds=self.settings.job_poll_seconds,
            queues=[queue],
            seconds_max=self.settings.job_seconds_max,
        )

    def _start_workers(self) -> None:
        # A data folder has one server: whatever ran before this one took it died with its process.
        is_sole_owner = self.role.owns_folder and self.database.is_sqlite
        if is_sole_owner:
            self.artefacts.clear_abandoned(idle_seconds=0)
            self._take_up_jobs()
            self.batches.end_uploads_before(self._made_at)
        if self.role.runs_jobs:
            self.jobs.leases.start()
        for worker in self.workers:
            worker.start()

    def _take_up_jobs(self) -> None:
        recovered = self.jobs.recovery.recover(started_before=self._made_at)
        if recovered:
            _log.warning("%d jobs were under way when the last server ended: taken up again", recovered)

    def _make_periodic(self) -> tuple[PeriodicThread, ...]:
        """A thread for each kind: aliases must not wait for a broker that does not answer, nor for a long deletion."""
        works: dict[str, list[Periodic]] = {
            "aliases": [Periodic("alias refresh", self.settings.alias_refresh_seconds, self._follow_registry)],
            "house": [],
            "publishing": [],
            "batches": [],
            "watch": [],
        }
        if self.publisher is not None:
            works["publishing"] = [Periodic("job publishing", PUBLISH_SWEEP_SECONDS, self.publisher.sweep)]
        if self.role.sweeps_jobs:
            works["batches"] = [Periodic("batch files", BATCH_SWEEP_SECONDS, self.batches.sweep)]
        if self.role.keeps_house:
            retention = Retention(self.settings, self.database, self.registry, self.jobs.large_results)
            works["house"] = [Periodic("retention", RETENTION_SECONDS, retention.delete_old)]
        if self.watch is not None:
            works["watch"] = [Periodic("watch", WATCH_SECONDS, self.watch.look, is_due_at_once=True)]
        return tuple(PeriodicThread(f"periodic-{name}", each) for name, each in works.items() if each)

    def _make_watch(self) -> Watch | None:
        if not self.role.watches:
            return None
        return Watch(self.settings, self.database, self.queues, self.workers_register, self.places.spool)

    def _follow_registry(self) -> None:
        """See aliases that another process moved; load what they name, put away what nothing names."""
        if self.registry.refresh_if_changed():
            for wanted in self.registry.snapshot().named():
                if self.loaded_models.recent_failure((wanted.model, wanted.number)) is None:
                    self._ensure_quietly(wanted)
        loop = self._loop
        if loop is not None:
            named = {(wanted.model, wanted.number) for wanted in self.registry.snapshot().named()}
            asyncio.run_coroutine_threadsafe(self.loaded_models.keep_only(named), loop).result(
                self.settings.shutdown_seconds
            )

    def _ensure_quietly(self, wanted: Resolution) -> None:
        try:
            self.loaded_models.ensure(wanted)
        except MLPError:
            return  # logged and kept by loaded_models; readiness names it

    async def _warm(self) -> None:
        """Load what aliases name; a version that fails is reported by readiness and does not hold up the others."""
        for wanted in self.registry.snapshot().named():
            await asyncio.to_thread(self._ensure_quietly, wanted)
        self.is_ready = True

    async def close(self) -> None:
        """Stop in order: no new work, answers that wait leave, records reach the database, connections end."""
        if self._warming is not None:
            self._warming.cancel()
        await asyncio.gather(
            *(asyncio.to_thread(thread.close, self.settings.shutdown_seconds) for thread in self.periodic)
        )
        self.jobs.stop_waiting()
        if self.bell is not None:
            await asyncio.to_thread(self.bell.close)
        if self.webhooks is not None:
            await asyncio.to_thread(self.webhooks.close)
        await asyncio.gather(
            *(asyncio.to_thread(worker.close, self.settings.shutdown_seconds) for worker in self.workers)
        )
        await self.inference.close()
        await asyncio.to_thread(self._close_storage)

    def _close_storage(self) -> None:
        self.drain.close(self.settings.shutdown_seconds)
        self.batches.close()
        self.jobs.close()
        if self.publisher is not None:
            self.publisher.close()
        self.recorder.close()
        self.drain.remove_emptied()
        self.database.close()

    def check_ready(self) -> dict[str, Any]:
        """What works and what does not: ``ready``, ``degraded`` (predictions go on), or ``unavailable``."""
        if not self.is_ready:
            # Asked many times a second by whoever waits for the start, which the checks would slow down.
            return {"status": "unavailable", "components": {}, "models": self._check_models()}
        components = {
            "database": self._check_database(),
            "recording": _state(self.recorder.trouble or self.drain.trouble),
            "disk": self._check_disk(),
            **self._check_neighbours(),
        }
        models = self._check_models()
        is_any_up = any(model["status"] == "ready" for model in models.values())
        if models and not is_any_up:
            status = "unavailable"
        elif all(part["status"] == "ready" for part in [*components.values(), *models.values()]):
            status = "ready"
        else:
            status = "degraded"
        return {"status": status, "components": components, "models": models}

    def _check_database(self) -> dict[str, Any]:
        try:
            self.database.check()
        except MLPError as error:
            return _state(error.message)
        return _state(None)

    def _check_neighbours(self) -> dict[str, Any]:
        """The broker and the cache, as the watch saw them last: readiness must not wait for either."""
        if self.watch is None:
            return {}
        return {name: _state(trouble) for name, trouble in self.watch.troubles().items() if name != "database"}

    def _check_disk(self) -> dict[str, Any]:
        free_bytes = shutil.disk_usage(self.places.spool).free
        low = free_bytes < _FREE_BYTES_MIN
        return {**_state(f"only {free_bytes >> 20} MiB free" if low else None), "free_bytes": free_bytes}

    def _check_models(self) -> dict[str, Any]:
        failures = self.loaded_models.failures()
        report: dict[str, Any] = {}
        for wanted in self.registry.snapshot().champions():
            reason = failures.get((wanted.model, wanted.number))
            if reason is None and self.loaded_models.find((wanted.model, wanted.number)) is None:
                reason = "loading"
            report[wanted.model] = {**_state(reason), "version": str(wanted.number)}
        return report


_FREE_BYTES_MIN = 256 << 20


def _state(trouble: str | None) -> dict[str, Any]:
    return {"status": "ready", "detail": None} if trouble is None else {"status": "degraded", "detail": trouble}


def _artefact_source(settings: Settings) -> ArtefactSource | None:
    if not settings.artefacts_url:
        return None
    key = "" if settings.api_key is None else settings.api_key.get_secret_value()
    return ArtefactSource(settings.artefacts_url, key or None)


def open_result_files(settings: Settings) -> ResultFiles | None:
    """Where large results of jobs are kept; None where this machine shares no disk with the others."""
    if settings.artefacts_url:
        return None
    folder = Places(settings.folder).artefacts / "results"
    return ResultFiles(folder, inline_bytes_max=settings.job_result_inline_bytes_max)


def open_database(settings: Settings) -> Database:
    """The database that settings name: PostgreSQL by its address, or the SQLite file of the data folder."""
    url = sqlite_url(settings.folder) if settings.database_url is None else settings.database_url.get_secret_value()
    return Database(
        url, timeout_seconds=settings.database_timeout_seconds, connections_max=settings.database_connections_max
    )
