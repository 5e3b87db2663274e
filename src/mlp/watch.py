"""Looks around every few seconds: do the parts answer, how many jobs wait, who works, how full is the disk.

What it sees becomes metrics and the degraded parts of readiness; whoever asks for those waits for nothing.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mlp import __version__
from mlp.clock import monotonic, now
from mlp.config import Settings
from mlp.errors import Unavailable
from mlp.jobs import metrics as job_metrics
from mlp.jobs.queues import Queues
from mlp.jobs.workers import WorkerRegister
from mlp.observability import component_metrics
from mlp.storage.database import Database

#: As often as Prometheus asks.
WATCH_SECONDS = 5.0
_HOUR_SECONDS = 3600.0
#: Longest wait for a part that does not answer.
_TRY_SECONDS = 3.0


class Watch:
    """One process's look at what it needs; a laptop's sees the database and the disk alone.

    Args:
        disk: A folder on the disk that fills: the spool's, which in a container is not that of the data folder.
    """

    def __init__(
        self, settings: Settings, database: Database, queues: Queues, workers: WorkerRegister, disk: Path
    ) -> None:
        self._settings = settings
        self._disk = disk
        self._queues = queues
        self._workers = workers
        self._tries: dict[str, Callable[[], None]] = {"database": database.check}
        if settings.has_broker:
            self._tries["broker"] = self._try_broker
        if settings.has_bell:
            self._tries["cache"] = self._try_cache
        self._troubles: dict[str, str | None] = {}
        component_metrics.release.labels(__version__).set(1)
        component_metrics.start_time_seconds.set(now().timestamp())

    def troubles(self) -> dict[str, str | None]:
        """What was wrong with each part when it was last tried; None: nothing."""
        return dict(self._troubles)

    def look(self) -> None:
        """Try every part, count jobs and workers, measure the disk; blocks for seconds where parts are away."""
        for component, attempt in self._tries.items():
            self._try(component, attempt)
        usage = shutil.disk_usage(self._disk)
        component_metrics.disk_free_bytes.set(usage.free)
        component_metrics.disk_size_bytes.set(usage.total)
        if self._troubles["database"] is None:
            self._count()

    def _try(self, component: str, attempt: Callable[[], None]) -> None:
        began = monotonic()
        try:
            attempt()
        except Exception as error:  # whatever a driver raises, the part does not answer
            self._troubles[component] = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        else:
            self._troubles[component] = None
        component_metrics.up.labels(component).set(1 if self._troubles[component] is None else 0)
        component_metrics.check_seconds.labels(component).set(monotonic() - began)

    def _try_broker(self) -> None:
        from mlp.jobs.broker import make_celery

        with closing(make_celery(self._settings)) as app, app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=_TRY_SECONDS, reraise_as_library_errors=False)

    def _try_cache(self) -> None:
        from redis import Redis

        assert self._settings.redis_url is not None
        url = self._settings.redis_url.get_secret_value()
        with Redis.from_url(url, socket_timeout=_TRY_SECONDS, socket_connect_timeout=_TRY_SECONDS) as redis:
            if not redis.ping():
                raise Unavailable("Redis does not answer a ping")

    def _count(self) -> None:
        unpublished = retrying = 0
        for queue in self._queues.list_queues():
            job_metrics.jobs.labels(queue.name, "queued").set(queue.queued)
            job_metrics.jobs.labels(queue.name, "running").set(queue.running)
            job_metrics.oldest_queued_seconds.labels(queue.name).set(queue.oldest_seconds or 0.0)
            job_metrics.queue_workers.labels(queue.name).set(queue.workers)
            unpublished += queue.unpublished
            retrying += queue.retrying
        if self._settings.has_broker:
            job_metrics.unpublished.set(unpublished)
        job_metrics.retrying.set(retrying)
        job_metrics.failed_last_hour.set(self._queues.count_failed(_HOUR_SECONDS))
        job_metrics.workers.set(sum(1 for worker in self._workers.list_workers() if worker.is_live))
