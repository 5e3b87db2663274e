"""Accepts jobs: an offer is answered after the COMMIT of its row, and offers that come together share one COMMIT."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from mlp import crash_points
from mlp.errors import IdempotencyKeyReused, MLPError, TooManyRequests, Unavailable
from mlp.jobs import metrics, store
from mlp.jobs.admission import Admission
from mlp.jobs.idempotency import fingerprint
from mlp.jobs.job import Job, NewJob
from mlp.jobs.notices import Notices
from mlp.jobs.states import JobState
from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: One transaction takes so many offers, or so many bytes of payload, at most: it stays a matter of milliseconds.
_GROUP_JOBS_MAX = 256
_GROUP_BYTES_MAX = 8 * 2**20
#: Offers that wait for the thread at most; more come in only while the database does not answer.
_WAITING_MAX = 10_000
_CLOSE_SECONDS = 10.0


class _Offer(NamedTuple):
    new_job: NewJob
    answer: "Future[Job]"


class _Verdict(NamedTuple):
    """What became of an offer: the job and whether it is new, or why it was refused."""

    job: Job | None
    is_new: bool = False
    refusal: MLPError | None = None


class Acceptor:
    """Writes offered jobs in groups, from a thread of its own that begins with the first offer.

    While one group is being committed the next one gathers, so that the disk's rate of COMMITs does not limit
    the rate of jobs, and a single offer waits for nobody.
    """

    def __init__(
        self,
        database: Database,
        notices: Notices,
        admission: Admission,
        *,
        attempts_max: int,
        read_result: Callable[[Job], Job],
    ) -> None:
        self._database = database
        self._notices = notices
        self._admission = admission
        self._attempts_max = attempts_max
        self._read_result = read_result
        self._offers: queue.SimpleQueue[_Offer | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def offer(self, new_job: NewJob) -> "Future[Job]":
        """A future of the accepted job: the job that already has the key, if one does. Returns at once.

        The future raises IdempotencyKeyReused (the key belongs to another request), TooManyRequests (the queue is
        full), DatabaseUnavailable or StorageFull; ``job_id`` on the last two says under which id to look, since
        a COMMIT without an answer may have happened.

        Raises:
            Unavailable: This process is stopping, or thousands of offers wait already.
        """
        answer: Future[Job] = Future()
        offered = _with_fingerprint(new_job)
        with self._lock:
            if self._is_closed:
                raise Unavailable("this server is stopping and accepts no more jobs: try again")
            if self._offers.qsize() >= _WAITING_MAX:
                raise Unavailable("more jobs come in than the database takes: try again", retry_after_seconds=2)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mlp-job-acceptor", daemon=True)
                self._thread.start()
            self._offers.put(_Offer(offered, answer))
        return answer

    def accept_all(self, new_jobs: Sequence[NewJob]) -> list[Job]:
        """The accepted jobs in the order given, in one transaction of their own: all of them, or none.

        Raises:
            As the future of offer().
        """
        offered = [_with_fingerprint(new_job) for new_job in new_jobs]
        with self._database.transaction() as connection:
            verdicts = self._judge(connection, offered)
            for verdict in verdicts:
                if verdict.refusal is not None:
                    raise verdict.refusal
        self._note([verdict for verdict in verdicts if verdict.is_new])
        return [verdict.job for verdict in verdicts if verdict.job is not None]

    def close(self) -> None:
        """Accept what has been offered and end; a second close does nothing."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            thread = self._thread
        if thread is not None and not was_closed:
            self._offers.put(None)
            thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        is_last = False
        while not is_last:
            group, is_last = self._next_group()
            # An offer whose caller has given up in the meantime is left out; from here on it cannot be withdrawn.
            self._accept([offer for offer in group if offer.answer.set_running_or_notify_cancel()])

    def _next_group(self) -> tuple[list[_Offer], bool]:
        """The offers that wait, at least one, and whether they are the last ones ever."""
        group: list[_Offer] = []
        size_bytes = 0
        offer = self._offers.get()
        while offer is not None:
            group.append(offer)
            size_bytes += len(offer.new_job.payload)
            if len(group) >= _GROUP_JOBS_MAX or size_bytes >= _GROUP_BYTES_MAX:
                return group, False
            try:
                offer = self._offers.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _accept(self, group: Sequence[_Offer]) -> None:
        if not group:
            return
        try:
            crash_points.reach("before_accept_commit")
            # One statement writes the jobs; what is read beside it need not be of the same moment.
            with self._database.statement() as connection:
                verdicts = self._judge(connection, [offer.new_job for offer in group])
        except Unavailable as error:
            for offer in group:
                offer.answer.set_exception(_for_offer(error, offer.new_job))
            return
        except Exception as error:
            self._accept_singly(group, error)
            return
        crash_points.reach("after_accept_commit")
        for offer, verdict in zip(group, verdicts, strict=True):
            if verdict.job is not None:
                offer.answer.set_result(verdict.job)
            else:
                offer.answer.set_exception(verdict.refusal)
        self._note([verdict for verdict in verdicts if verdict.is_new])

    def _accept_singly(self, group: Sequence[_Offer], error: Exception) -> None:
        """One of the group is at fault (a value that the database refuses, say): the others must not suffer."""
        if len(group) == 1:
            _log.error("an offered job could not be written", exc_info=error)
            group[0].answer.set_exception(error)
            return
        for offer in group:
            self._accept([offer])

    def _judge(self, connection: sa.Connection, offered: Sequence[NewJob]) -> list[_Verdict]:
        """Write what is new; say of each offer what became of it."""
        self._admission.check(connection, len(offered))
        accepted_at = store.insert_jobs(connection, offered, self._attempts_max)
        verdicts = {
            new_job.id: _Verdict(_accepted(new_job, accepted_at[new_job.id], self._attempts_max), is_new=True)
            for new_job in offered
            if new_job.id in accepted_at
        }
        known_before = [new_job for new_job in offered if new_job.id not in accepted_at]
        for start in range(0, len(known_before), _GROUP_JOBS_MAX):
            some = known_before[start : start + _GROUP_JOBS_MAX]
            known = store.find_known(connection, some)
            verdicts.update({new_job.id: self._compare(new_job, known) for new_job in some})
        return [verdicts[new_job.id] for new_job in offered]

    def _compare(self, new_job: NewJob, known: Sequence[store.KnownJob]) -> _Verdict:
        verdict = _compare(new_job, known)
        return verdict if verdict.job is None else verdict._replace(job=self._read_result(verdict.job))

    def _note(self, verdicts: Sequence[_Verdict]) -> None:
        """After the COMMIT: count the new jobs and wake workers."""
        new = [verdict.job for verdict in verdicts if verdict.job is not None]
        self._admission.note_accepted(len(new))
        for job in new:
            metrics.accepted.labels(job.kind).inc()
        self._notices.queued(new)


def _for_offer(error: Unavailable, new_job: NewJob) -> Unavailable:
    """The group's error as one offer's own; with the job's id, unless it is sure that there is no such job."""
    extra = error.extra if isinstance(error, TooManyRequests) else {**error.extra, "job_id": new_job.id}
    return type(error)(error.message, retry_after_seconds=error.retry_after_seconds, **extra)


def _with_fingerprint(new_job: NewJob) -> NewJob:
    if new_job.idempotency_key is None or new_job.fingerprint is not None:
        return new_job
    return replace(new_job, fingerprint=fingerprint(new_job.kind, new_job.model, new_job.payload))


def _accepted(new_job: NewJob, created_at: datetime, attempts_max: int) -> Job:
    return Job(
        id=new_job.id,
        kind=new_job.kind,
        model=new_job.model,
        queue=new_job.queue,
        priority=new_job.priority,
        state=JobState.QUEUED,
        attempt=0,
        attempts_max=attempts_max if new_job.attempts_max is None else new_job.attempts_max,
        is_cancel_requested=False,
        created_at=created_at,
        reply_to=new_job.reply_to,
        tenant=new_job.tenant,
    )


def _compare(new_job: NewJob, known: Sequence[store.KnownJob]) -> _Verdict:
    """What an offer gets that met a row of its own id (an earlier try of the same offer) or key."""
    for other in known:
        if other.job.id == new_job.id:
            return _Verdict(other.job)
        if (other.job.tenant, other.idempotency_key) == (new_job.tenant, new_job.idempotency_key):
            if other.fingerprint == new_job.fingerprint:
                return _Verdict(other.job)
            return _Verdict(
                None,
                refusal=IdempotencyKeyReused(
                    f'the Idempotency-Key "{new_job.idempotency_key}" belongs to another request: use a new key',
                    job_id=other.job.id,
                ),
            )
    # The row that stood in the way was deleted between two statements; its key is free again.
    return _Verdict(None, refusal=Unavailable("the job under this Idempotency-Key has just expired: try again"))
