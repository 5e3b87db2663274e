"""The bell over a real Redis: heard by others while Redis is there, and never in anybody's way while it is not."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import redis
from pydantic import SecretStr

from mlp.clock import new_id, now
from mlp.config import Settings
from mlp.jobs.bell import CANCELLING, FINISHED, Bell
from mlp.jobs.job import Job
from mlp.jobs.states import JobState
from mlp.observability.metrics import REGISTRY
from tests.contract.job_support import until
from tests.redis import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.redis]

CHANNEL = "mlp:notices"
CLOSE_SECONDS_MAX = 8.0
#: A shared machine's due: a call that waited for a frozen Redis would take half a second each time, for minutes.
RING_SECONDS_MAX = 10.0


class Listener:
    """A bell that keeps what it hears."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self.heard: list[tuple[str, str]] = []
        bell.hear(FINISHED, lambda job_id: self.heard.append((FINISHED, job_id)))
        bell.hear(CANCELLING, lambda job_id: self.heard.append((CANCELLING, job_id)))
        bell.start()


@pytest.fixture
def settings(redis_server: RedisServer) -> Settings:
    return Settings(redis_url=SecretStr(redis_server.url))


@pytest.fixture
def bell(settings: Settings) -> Iterator[Bell]:
    with closing(Bell(settings)) as bell:
        bell.start()
        yield bell


@pytest.fixture
def listener(settings: Settings) -> Iterator[Listener]:
    with closing(Bell(settings)) as bell:
        yield Listener(bell)


def job() -> Job:
    moment = now()
    return Job(new_id(), "test.echo", None, "default", 0, JobState.SUCCEEDED, 1, 3, False, created_at=moment)


def ring_until_heard(bell: Bell, listener: Listener) -> None:
    """Pub/sub keeps nothing: a notice is heard once the listener has subscribed."""

    def is_heard() -> bool:
        bell.finished([job()])
        return listener.heard != []

    until(is_heard)


def ring_until_lost(bell: Bell) -> None:
    """Redis is away once a notice is lost."""
    lost = count(FINISHED, "lost")

    def is_lost() -> bool:
        bell.finished([job()])
        return count(FINISHED, "lost") > lost

    until(is_lost)


def count(kind: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("mlp_notices_total", {"kind": kind, "outcome": outcome}) or 0.0


def test_notice_of_one_process_is_heard_by_another(bell: Bell, listener: Listener) -> None:
    ring_until_heard(bell, listener)
    finished, cancelling = job(), job()

    bell.finished([finished])
    bell.cancelling(cancelling)

    until(lambda: {(FINISHED, finished.id), (CANCELLING, cancelling.id)} <= set(listener.heard))


def test_notices_sent_and_heard_are_counted(bell: Bell, listener: Listener) -> None:
    ring_until_heard(bell, listener)
    sent, heard = count(CANCELLING, "sent"), count(CANCELLING, "heard")

    bell.cancelling(job())

    until(lambda: (count(CANCELLING, "sent"), count(CANCELLING, "heard")) == (sent + 1, heard + 1))


@pytest.mark.parametrize("take_down", [RedisServer.kill, RedisServer.stop])
def test_listening_recovers_when_redis_is_back(
    bell: Bell, listener: Listener, redis_server: RedisServer, take_down: Callable[[RedisServer], None]
) -> None:
    ring_until_heard(bell, listener)
    take_down(redis_server)
    ring_until_lost(bell)

    redis_server.start()
    listener.heard.clear()

    ring_until_heard(bell, listener)


def test_listening_recovers_from_a_redis_that_hangs(bell: Bell, listener: Listener, redis_server: RedisServer) -> None:
    ring_until_heard(bell, listener)
    redis_server.pause()
    ring_until_lost(bell)

    redis_server.go_on()
    listener.heard.clear()

    ring_until_heard(bell, listener)


def test_processes_that_start_without_redis_find_it_later(settings: Settings, redis_server: RedisServer) -> None:
    redis_server.kill()
    with closing(Bell(settings)) as bell, closing(Bell(settings)) as other:
        bell.start()
        listener = Listener(other)

        redis_server.start()

        ring_until_heard(bell, listener)


def test_ringing_never_waits_for_a_redis_that_hangs(bell: Bell, listener: Listener, redis_server: RedisServer) -> None:
    ring_until_heard(bell, listener)
    redis_server.pause()
    dropped = count(FINISHED, "dropped")
    notice = job()
    began = time.monotonic()

    for _ in range(30_000):
        bell.finished([notice])

    assert time.monotonic() - began < RING_SECONDS_MAX
    assert count(FINISHED, "dropped") > dropped


def test_every_notice_is_counted_as_sent_lost_or_dropped(bell: Bell, redis_server: RedisServer) -> None:
    redis_server.pause()
    outcomes = ("sent", "lost", "dropped")
    before = sum(count(FINISHED, outcome) for outcome in outcomes)
    notice = job()

    for _ in range(500):
        bell.finished([notice])

    until(lambda: sum(count(FINISHED, outcome) for outcome in outcomes) == before + 500)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b'{"kind": "finished"}',
        b'{"kind": 1, "job_id": "x"}',
        b'{"kind": "moved", "job_id": "x"}',
        b"[" * 10_000,
    ],
)
def test_what_is_no_notice_is_passed_over(
    bell: Bell, listener: Listener, redis_server: RedisServer, sent: bytes
) -> None:
    ring_until_heard(bell, listener)
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.publish(CHANNEL, sent)
    last = job()

    bell.finished([last])

    until(lambda: (FINISHED, last.id) in listener.heard)
    assert {job_id for _kind, job_id in listener.heard}.isdisjoint({"x"})


def test_notice_of_a_later_release_with_more_to_say_is_heard(listener: Listener, redis_server: RedisServer) -> None:
    said = b'{"kind": "finished", "job_id": "known", "state": "failed"}'

    def is_heard() -> bool:
        client.publish(CHANNEL, said)
        return (FINISHED, "known") in listener.heard

    with closing(redis.Redis.from_url(redis_server.url)) as client:
        until(is_heard)


def test_listener_that_fails_does_not_end_the_listening(
    bell: Bell, settings: Settings, redis_server: RedisServer
) -> None:
    heard: list[str] = []

    def fail_once(job_id: str) -> None:
        heard.append(job_id)
        if len(heard) == 1:
            raise RuntimeError("the first is too much")

    def is_heard_again() -> bool:
        bell.finished([job()])
        return len(heard) > 1

    with closing(Bell(settings)) as other:
        other.hear(FINISHED, fail_once)
        other.start()

        until(is_heard_again)


@pytest.mark.parametrize("outage", [None, RedisServer.kill, RedisServer.pause])
@pytest.mark.parametrize("waiting", [0, 20_000])
def test_bell_is_closed_quickly_in_every_state(
    settings: Settings, redis_server: RedisServer, outage: Callable[[RedisServer], None] | None, waiting: int
) -> None:
    bell = Bell(settings)
    listener = Listener(bell)
    ring_until_heard(bell, listener)
    if outage is not None:
        outage(redis_server)
    notice = job()
    for _ in range(waiting):
        bell.finished([notice])
    began = time.monotonic()

    bell.close()

    assert time.monotonic() - began < CLOSE_SECONDS_MAX
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("mlp-bell")] == []


def test_bell_that_was_never_started_can_be_closed(settings: Settings) -> None:
    Bell(settings).close()
