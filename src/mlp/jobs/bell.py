"""The bell between processes: Redis carries word that a job has ended, or should stop, to whoever waits for it.

Pub/sub promises nothing: a notice may be lost, and then the waiters' own look into the database finds the same a
second later. Nothing waits for Redis, and nothing is kept in it.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from mlp.config import Settings
from mlp.errors import ConfigurationInvalid
from mlp.jobs import metrics
from mlp.jobs.job import Job

if TYPE_CHECKING:
    from redis import Redis

_log = logging.getLogger(__name__)

_CHANNEL = "mlp:notices"
#: A bell that takes longer than this is not rung: the look into the database is as quick.
_SEND_SECONDS = 0.5
#: How often the listener asks Redis whether it is there: a cut connection is silent.
_LISTEN_SECONDS = 5.0
_PAUSE_SECONDS_MAX = 5.0
_WAITING_MAX = 10_000
_CLOSE_SECONDS = 5.0

FINISHED, CANCELLING = "finished", "cancelling"


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said: a kind, the id of a job, and those of others; a release that knows no others hears the first."""

    kind: str
    job_id: str
    others: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Of how many jobs it is."""
        return 1 + len(self.others)


class Bell:
    """Rings and listens; ringing never blocks and never raises. Start and close it once."""

    def __init__(self, settings: Settings) -> None:
        self._url = "" if settings.redis_url is None else settings.redis_url.get_secret_value()
        self._heard: dict[str, Callable[[str], object]] = {}
        self._stopping = threading.Event()
        self._notices: queue.Queue[Notice | None] = queue.Queue(_WAITING_MAX)
        self._is_away = False
        self._threads = (
            threading.Thread(target=self._ring, name="mlp-bell-ring", daemon=True),
            threading.Thread(target=self._listen, name="mlp-bell-listen", daemon=True),
        )

    def hear(self, kind: str, listener: Callable[[str], object]) -> None:
        """Do this with the id of a job when a notice of the kind comes; called by the listening thread, and quick."""
        self._heard[kind] = listener

    def start(self) -> None:
        """Begin to ring and to listen.

        Raises:
            ConfigurationInvalid: redis-py is not installed.
        """
        _connect(self._url).close()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ring no more, and listen no more."""
        self._stopping.set()
        with suppress(queue.Full):
            self._notices.put_nowait(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_CLOSE_SECONDS)

    def finished(self, jobs: Sequence[Job]) -> None:
        """Say that these jobs have ended, in one notice; for Notices.on_finished."""
        first, *others = [job.id for job in jobs]
        self._say(Notice(FINISHED, first, tuple(others)))

    def cancelling(self, job: Job) -> None:
        """Say that the running job should stop; for Notices.on_cancelling."""
        self._say(Notice(CANCELLING, job.id))

    def _say(self, notice: Notice) -> None:
        try:
            self._notices.put_nowait(notice)
        except queue.Full:
            metrics.notices.labels(notice.kind, "dropped").inc(notice.count)

    def _ring(self) -> None:
        redis = _connect(self._url)
        while True:
            notice = self._notices.get()
            if notice is not None:
                outcome = "sent" if self._send(redis, notice) else "lost"
                metrics.notices.labels(notice.kind, outcome).inc(notice.count)
            # Where the queue was full, close() could not put its word into it.
            if notice is None or (self._stopping.is_set() and self._notices.empty()):
                redis.close()
                return

    def _send(self, redis: "Redis", notice: Notice) -> bool:
        try:
            redis.publish(_CHANNEL, msgspec.json.encode(notice))
        except Exception as error:  # redis, socket: whatever it is, the waiters look by themselves
            self._note_away(error)
            # What has gathered meanwhile is late already; it must not wait half a second for each.
            with suppress(queue.Empty):
                while True:
                    late = self._notices.get_nowait()
                    if late is None:
                        self._notices.put_nowait(None)
                        break
                    metrics.notices.labels(late.kind, "lost").inc(late.count)
            return False
        return True

    def _listen(self) -> None:
        pause_seconds = 0.1
        while not self._stopping.is_set():
            try:
                with _connect(self._url) as redis, redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(_CHANNEL)
                    self._note_back()
                    pause_seconds = 0.1
                    self._hear_until_doubt(subscription)
            except Exception as error:  # a new connection is tried; until then the waiters look by themselves
                self._note_away(error)
                self._stopping.wait(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _PAUSE_SECONDS_MAX)

    def _hear_until_doubt(self, subscription: Any) -> None:
        """Pass notices on until the connection fails; a ping that is not answered raises."""
        has_answered = True
        while not self._stopping.is_set():
            message = subscription.get_message(timeout=_LISTEN_SECONDS / 5)
            if message is None:
                if not has_answered:
                    raise TimeoutError("Redis does not answer the listener's ping")
                subscription.ping()
                has_answered = False
            elif message["type"] == "message":
                has_answered = True
                self._pass_on(message["data"])
            else:
                has_answered = True

    def _pass_on(self, sent: bytes) -> None:
        try:
            notice = msgspec.json.decode(sent, type=Notice)
        except msgspec.MsgspecError:
            return  # of a later release, which says what this one does not know
        hear = self._heard.get(notice.kind)
        if hear is not None:
            metrics.notices.labels(notice.kind, "heard").inc(notice.count)
            for job_id in (notice.job_id, *notice.others):
                hear(job_id)

    def _note_away(self, error: Exception) -> None:
        if not self._is_away and not self._stopping.is_set():
            self._is_away = True
            _log.warning("Redis is away, ends of jobs are noticed a second later: %s", error)

    def _note_back(self) -> None:
        if self._is_away:
            self._is_away = False
            _log.info("Redis is back")


def _connect(url: str) -> "Redis":
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ModuleNotFoundError as error:
        raise ConfigurationInvalid('redis is not installed: pip install "mlp-stack[stack]"') from error
    return Redis.from_url(
        url,
        socket_timeout=_SEND_SECONDS,
        socket_connect_timeout=_SEND_SECONDS,
        retry=Retry(NoBackoff(), 0),
        client_name="mlp",
    )
