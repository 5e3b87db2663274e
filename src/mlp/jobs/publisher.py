"""Wakes workers by messages: from a thread of its own after a job's COMMIT, and once more by a sweep each second.

A message stands for all jobs that wait in a queue. One that does not get through costs a second, never a job: the
workers look by themselves as well, and the row of a job that waits says that its wake-up is missing.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from time import sleep
from typing import TYPE_CHECKING, Any

from mlp import crash_points
from mlp.clock import monotonic, new_id
from mlp.config import Settings
from mlp.jobs import metrics, publish_store
from mlp.jobs.broker import CONFIRM_SECONDS, make_celery, run_job_body, run_job_headers
from mlp.jobs.broker_queues import broker_queue_of
from mlp.jobs.job import Job
from mlp.storage.database import Database

if TYPE_CHECKING:
    from celery import Celery

_log = logging.getLogger(__name__)

#: A worker's process that is woken works until nothing waits: a few messages wake as many processes, and a stream of
#: jobs is worth no more than so many a second of them.
_WAKE_UPS_AT_ONCE = 16
_WAKE_UPS_PER_SECOND = 200
#: Jobs that one sweep looks after at most.
_SWEEP_JOBS_MAX = 10_000
#: After a failure the broker is left alone for this long, doubled up to the longest: an outage makes no storm.
_PAUSE_SECONDS = 0.5
_PAUSE_SECONDS_MAX = 5.0
#: Longest silence of the broker when something other than a confirmation is asked of it.
_SILENCE_SECONDS = 4
#: A job is the sweep's when its own wake-up has had this much time.
SWEEP_GRACE_SECONDS = 2.0
_CLOSE_SECONDS = 10.0


class BrokerAway(Exception):
    """The broker did not confirm."""


class _Pace:
    """How many wake-ups a queue is worth now: a bucket that fills with time."""

    def __init__(self) -> None:
        self._tokens = float(_WAKE_UPS_AT_ONCE)
        self._filled_at = monotonic()

    def take(self, wanted: int) -> int:
        """How many of so many may be sent now."""
        moment = monotonic()
        filled = self._tokens + (moment - self._filled_at) * _WAKE_UPS_PER_SECOND
        self._tokens, self._filled_at = min(filled, _WAKE_UPS_AT_ONCE), moment
        taken = min(wanted, int(self._tokens))
        self._tokens -= taken
        return taken


class Publisher:
    """Publishes for one process; start and close it once. Safe for use by several threads.

    Attributes:
        trouble: Why the last message did not get through; None while they do.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._app: Celery = make_celery(settings)
        # One connection, used by one thread at a time: py-amqp's are not safe for more (its frame buffer is shared).
        self._connection: Any = None
        self._producer: Any = None
        self._publishing = threading.Lock()
        self._news = threading.Condition()
        self._wanted: dict[str, list[str]] = {}
        self._paces: defaultdict[str, _Pace] = defaultdict(_Pace)
        self._is_stopping = False
        self._closed_until = 0.0
        self._pause_seconds = _PAUSE_SECONDS
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._work, name="mlp-job-publisher", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def close(self) -> None:
        """Publish what waits, within seconds, and end; the sweep of whoever comes next sends the rest."""
        with self._news:
            self._is_stopping = True
            self._news.notify_all()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        with self._publishing:
            self._disconnect()
        self._app.close()

    def publish_soon(self, jobs: Sequence[Job]) -> None:
        """Have workers woken for these jobs; for Notices.on_queued."""
        with self._news:
            for job in jobs:
                wanted = self._wanted.setdefault(broker_queue_of(job.queue, job.priority), [])
                if len(wanted) < _WAKE_UPS_AT_ONCE:
                    wanted.append(job.id)
            self._news.notify()

    def sweep(self) -> int:
        """For how many jobs workers were woken once more, because they have waited for longer than a wake-up takes."""
        if not self._is_open():
            return 0
        with self._database.reading() as connection:
            waiting = publish_store.list_unpublished(connection, SWEEP_GRACE_SECONDS, _SWEEP_JOBS_MAX)
        by_queue: defaultdict[str, list[str]] = defaultdict(list)
        for job_id, job_queue, priority in waiting:
            by_queue[broker_queue_of(job_queue, priority)].append(job_id)
        woken = [job_ids for name, job_ids in by_queue.items() if self._send_all(name, job_ids[:_WAKE_UPS_AT_ONCE])]
        crash_points.reach("before_mark_published")
        marked = [job_id for job_ids in woken for job_id in job_ids]
        if marked:
            with self._database.transaction(is_durable=False) as connection:
                publish_store.mark_published(connection, marked)
        return len(marked)

    def _work(self) -> None:
        while True:
            with self._news:
                while not self._wanted and not self._is_stopping:
                    self._news.wait()
                if not self._wanted or (self._is_stopping and not self._is_open()):
                    return
                batch = self._take_wanted()
            try:
                for name, job_ids in batch.items():
                    if self._is_open():
                        self._send_all(name, job_ids)
            except Exception:
                metrics.failures.labels("mlp-job-publisher").inc()
                _log.exception("the publisher's thread failed and goes on")
            if not batch:
                sleep(1 / _WAKE_UPS_PER_SECOND)

    def _take_wanted(self) -> dict[str, list[str]]:
        """As many of the wake-ups that are wanted as their queues are worth now; the others stay."""
        taken: dict[str, list[str]] = {}
        for name, job_ids in list(self._wanted.items()):
            count = self._paces[name].take(len(job_ids))
            if count:
                taken[name] = job_ids[:count]
                del job_ids[:count]
            if not job_ids:
                del self._wanted[name]
        return taken

    def _is_open(self) -> bool:
        return monotonic() >= self._closed_until

    def _send_all(self, name: str, job_ids: Sequence[str]) -> bool:
        """Whether the broker has confirmed a message to the queue for each of these; stops at the first that failed."""
        with self._publishing:
            for job_id in job_ids:
                try:
                    self._send(job_id, name)
                except BrokerAway as error:
                    self._note_failure(error)
                    return False
                metrics.published.labels(name).inc()
                crash_points.reach("after_publish")
            self._note_success()
        return True

    def _send(self, job_id: str, name: str) -> None:
        # Celery's own send_task() takes five times as long to come to the same message.
        message = {"routing_key": name, "exchange": "", "serializer": "json", "retry": False, "delivery_mode": 2}
        try:
            self._connected().publish(
                run_job_body(job_id),
                headers=run_job_headers(task_id := new_id()),
                correlation_id=task_id,
                confirm_timeout=CONFIRM_SECONDS,
                **message,
            )
        except Exception as error:  # kombu, amqp, socket: whatever it is, the sweep will try again
            raise BrokerAway(f"{type(error).__name__}: {error}") from error

    def _connected(self) -> Any:
        if self._producer is None:
            self._connection = self._app.connection_for_write(transport_options={"read_timeout": _SILENCE_SECONDS})
            # Each connection anew: a broker that lost its data would confirm messages into nothing.
            for each in self._app.amqp.queues.values():
                each(self._connection.default_channel).declare()
            self._producer = self._app.amqp.Producer(self._connection, auto_declare=False)
        return self._producer

    def _disconnect(self) -> None:
        """Drop the connection without a word: a broker that does not confirm may not say goodbye either."""
        if self._connection is not None:
            self._connection.collect(socket_timeout=0.1)
        self._connection = self._producer = None

    def _note_failure(self, error: BrokerAway) -> None:
        metrics.publish_failures.inc()
        self._closed_until = monotonic() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, _PAUSE_SECONDS_MAX)
        if self.trouble is None:
            _log.warning("RabbitMQ takes no messages, jobs wait for workers to look by themselves: %s", error)
        self.trouble = str(error)
        # A connection that did not confirm in time may confirm late: the next message gets a new one.
        self._disconnect()

    def _note_success(self) -> None:
        if self.trouble is not None:
            _log.info("RabbitMQ takes messages again")
        self.trouble = None
        self._pause_seconds = _PAUSE_SECONDS
