"""Wakes workers by messages: from a thread of its own after a job's COMMIT, and once more each second by a sweep.

A message that does not get through costs a second, never a job: the row says that its wake-up is missing.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import MLPError
from mlp.jobs import metrics, publish_store
from mlp.jobs.broker import CONFIRM_SECONDS, RUN_JOB, make_celery
from mlp.jobs.broker_queues import broker_queue_of
from mlp.jobs.job import Job
from mlp.storage.database import Database

if TYPE_CHECKING:
    from celery import Celery

_log = logging.getLogger(__name__)

#: Jobs of one round, after which what was confirmed is noted in one statement.
_ROUND_JOBS_MAX = 200
#: Jobs that wait for the thread at most; what comes beyond them is left to the sweep.
_WAITING_MAX = 10_000
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


class Publisher:
    """Publishes wake-ups; publish_soon() never blocks and never raises. Start and close it once."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._app: Celery = make_celery(settings)
        # One connection, used by one thread at a time: py-amqp's are not safe for more (its frame buffer is shared).
        self._connection: Any = None
        self._producer: Any = None
        self._jobs: queue.Queue[Job | None] = queue.Queue(_WAITING_MAX)
        self._publishing = threading.Lock()
        self._stopping = threading.Event()
        self._closed_until = 0.0
        self._pause_seconds = _PAUSE_SECONDS
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._work, name="mlp-job-publisher", daemon=True)

    @property
    def trouble(self) -> str | None:
        """Why the last message did not get through; None while they do."""
        return self._trouble

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def close(self) -> None:
        """Publish what waits, within seconds, and end; the sweep of whoever comes next sends the rest."""
        self._stopping.set()
        with suppress(queue.Full):
            self._jobs.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        with self._publishing:
            self._disconnect()
        self._app.close()

    def publish_soon(self, jobs: Sequence[Job]) -> None:
        """Have these jobs' workers woken; for Notices.on_queued."""
        for job in jobs:
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                return  # the sweep finds them

    def sweep(self) -> int:
        """How many wake-ups were sent of jobs that may run and whose own did not get through."""
        if not self._is_open():
            return 0
        with self._database.transaction() as connection:
            missing = publish_store.lock_unpublished(connection, SWEEP_GRACE_SECONDS, _ROUND_JOBS_MAX)
            sent = self._send_all(missing)
            publish_store.mark_published(connection, sent)
        return len(sent)

    def _work(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            batch, is_last = self._gather(first)
            try:
                self._publish(batch)
            except MLPError as error:
                _log.warning("wake-ups could not be noted, the sweep repeats them: %s", error.message)
            except Exception:
                metrics.failures.labels("mlp-job-publisher").inc()
                _log.exception("the publisher's thread failed and goes on")
            # Where the queue was full, close() could not put its word into it.
            if is_last or (self._stopping.is_set() and self._jobs.empty()):
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        batch = [first]
        while len(batch) < _ROUND_JOBS_MAX:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _publish(self, batch: Sequence[Job]) -> None:
        if not self._is_open():
            return
        sent = self._send_all([(job.id, job.queue, job.priority) for job in batch])
        if sent:
            with self._database.transaction() as connection:
                publish_store.mark_published(connection, sent)

    def _is_open(self) -> bool:
        return monotonic() >= self._closed_until

    def _send_all(self, jobs: Sequence[tuple[str, str, int]]) -> list[str]:
        """The ids whose message was confirmed; stops at the first that was not."""
        sent: list[str] = []
        with self._publishing:
            for job_id, job_queue, priority in jobs:
                name = broker_queue_of(job_queue, priority)
                try:
                    self._send(job_id, name)
                except BrokerAway as error:
                    self._note_failure(error)
                    break
                metrics.published.labels(name).inc()
                sent.append(job_id)
            else:
                self._note_success()
        return sent

    def _send(self, job_id: str, name: str) -> None:
        options: dict[str, Any] = {"queue": name, "retry": False, "confirm_timeout": CONFIRM_SECONDS}
        try:
            self._app.send_task(RUN_JOB, args=[job_id], ignore_result=True, producer=self._connected(), **options)
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
        if self._trouble is None:
            _log.warning("RabbitMQ takes no messages, jobs wait for workers to look by themselves: %s", error)
        self._trouble = str(error)
        # A connection that did not confirm in time may confirm late: the next message gets a new one.
        self._disconnect()

    def _note_success(self) -> None:
        if self._trouble is not None:
            _log.info("RabbitMQ takes messages again")
        self._trouble = None
        self._pause_seconds = _PAUSE_SECONDS
