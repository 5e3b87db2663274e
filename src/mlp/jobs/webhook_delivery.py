"""One webhook from its call to what is noted of it: what is said, what a failure means, when it is tried again."""

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from mlp import crash_points
from mlp.clock import monotonic, now, to_rfc3339
from mlp.config import Settings
from mlp.errors import ArtefactCorrupt, BadInput, UnknownJob
from mlp.jobs import metrics, webhooks_store
from mlp.jobs.job import Job
from mlp.jobs.schemas import shown
from mlp.jobs.service import JobService
from mlp.jobs.webhook_addresses import WebhookURL, read_url
from mlp.jobs.webhook_call import Outcome, call
from mlp.jobs.webhook_signature import signature_of, signing_keys
from mlp.jobs.webhooks_store import Call, WebhookState
from mlp.storage.database import Database

#: Pauses between attempts: 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, then 8 h until a day is over.
DELAYS_SECONDS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0)
#: From the job's end to the last attempt.
GIVE_UP_SECONDS = 86_400.0
#: A larger result is not sent: Standard Webhooks advises small payloads, and a link beyond them.
RESULT_BYTES_MAX = 256 * 1024
CALL_SECONDS = 10.0
#: A receiver that does not answer is left alone for this long, doubled up to the longest: its many other calls must
#: not hold every thread for the whole time-out, one after the other.
_PAUSE_SECONDS = 5.0
_PAUSE_SECONDS_MAX = 60.0


class Delivery:
    """Delivers webhooks, one by one; safe for use by several threads."""

    def __init__(
        self, database: Database, jobs: JobService, settings: Settings, delays_seconds: Sequence[float]
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._keys = signing_keys(settings.webhook_secret)
        self._is_private_allowed = settings.webhook_private_addresses
        self._delays_seconds = delays_seconds
        self._pauses = Pauses(min(_PAUSE_SECONDS, delays_seconds[0]))

    def deliver(self, taken: Call) -> None:
        """Call the receiver and note what came of it; blocks for the time of a call.

        Raises:
            DatabaseUnavailable: It cannot be noted; the call is made again when its lease is over.
        """
        try:
            url = read_url(taken.url)
        except BadInput as error:
            self._note(taken, Outcome(None, error.message, is_final=True))
            return
        pause_seconds = self._pauses.seconds_left(url)
        if pause_seconds > 0:
            self._put_off(taken, pause_seconds)
            return
        try:
            job = self._jobs.get(taken.job_id)
        except UnknownJob:
            return  # deleted with its webhook
        except ArtefactCorrupt as error:
            self._note(taken, Outcome(None, error.message))
            return
        outcome = self._call(url, job)
        self._pauses.note(url, is_away=outcome.status is None and not outcome.is_final)
        crash_points.reach("after_webhook_call")
        self._note(taken, outcome)

    def _call(self, url: WebhookURL, job: Job) -> Outcome:
        body = body_of(job)
        timestamp_seconds = int(now().timestamp())
        headers = {
            "webhook-id": job.id,
            "webhook-timestamp": str(timestamp_seconds),
            "webhook-signature": signature_of(self._keys, job.id, timestamp_seconds, body),
        }
        return call(url, body, headers, timeout_seconds=CALL_SECONDS, is_private_allowed=self._is_private_allowed)

    def _put_off(self, taken: Call, pause_seconds: float) -> None:
        if taken.attempt > 1 and _age_seconds(taken) > GIVE_UP_SECONDS:
            self._note(taken, Outcome(None, "the receiver has not answered for a day"))
            return
        with self._database.transaction() as connection:
            webhooks_store.put_off(connection, taken, _jittered(pause_seconds))

    def _note(self, taken: Call, outcome: Outcome) -> None:
        index = min(taken.attempt, len(self._delays_seconds)) - 1
        delay_seconds = max(_jittered(self._delays_seconds[index]), outcome.retry_after_seconds)
        is_last = outcome.is_final or _age_seconds(taken) + delay_seconds > GIVE_UP_SECONDS
        with self._database.transaction() as connection:
            if outcome.is_delivered or is_last:
                state = WebhookState.DELIVERED if outcome.is_delivered else WebhookState.FAILED
                webhooks_store.end(connection, taken, state, outcome.status, outcome.error)
            else:
                webhooks_store.try_again(connection, taken, delay_seconds, outcome.status, outcome.error)
        metrics.webhooks.labels("delivered" if outcome.is_delivered else "failed" if is_last else "repeated").inc()


def body_of(job: Job) -> bytes:
    """What a receiver is told: the job as HTTP shows it, with ``type`` and ``timestamp`` of Standard Webhooks.

    A result of more than 256 KiB is left out; ``result_url`` is then the path at which the server has it.
    """
    document: dict[str, Any] = {
        "type": f"job.{job.state.value}",
        "timestamp": None if job.finished_at is None else to_rfc3339(job.finished_at),
    }
    if job.result is not None and len(job.result) > RESULT_BYTES_MAX:
        document |= {**shown(replace(job, result=None)), "result_url": f"/v1/jobs/{job.id}"}
    else:
        document |= shown(job)
    return msgspec.json.encode(document)


class Pauses:
    """Receivers that do not answer, and how long each is left alone; safe for use by several threads."""

    def __init__(self, first_seconds: float = _PAUSE_SECONDS) -> None:
        self._first_seconds = first_seconds
        self._lock = threading.Lock()
        # By host and port: when the pause ends, and how long it was.
        self._pauses: dict[tuple[str, int], tuple[float, float]] = {}

    def seconds_left(self, url: WebhookURL) -> float:
        """How long the receiver should be left alone; 0: it may be called."""
        with self._lock:
            ends_at, _seconds = self._pauses.get((url.host, url.port), (0.0, 0.0))
        return max(0.0, ends_at - monotonic())

    def note(self, url: WebhookURL, *, is_away: bool) -> None:
        """Note whether the receiver answered at all."""
        place = (url.host, url.port)
        with self._lock:
            ends_at, seconds = self._pauses.get(place, (0.0, 0.0))
            if not is_away:
                self._pauses.pop(place, None)
            elif ends_at <= monotonic():  # of several calls that failed together the first counts
                seconds = min(2 * seconds or self._first_seconds, _PAUSE_SECONDS_MAX)
                self._pauses[place] = (monotonic() + seconds, seconds)


def _jittered(seconds: float) -> float:
    """Up to a fifth more or less: what failed together shall not come back together."""
    return seconds * random.uniform(0.8, 1.2)


def _age_seconds(taken: Call) -> float:
    return (now() - taken.finished_at).total_seconds()
