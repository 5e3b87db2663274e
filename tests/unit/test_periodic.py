"""Periodic work: again and again, whatever fails, until it is closed."""

import logging
import threading

import pytest

from mlp.errors import DatabaseUnavailable
from mlp.periodic import Periodic, PeriodicThread


def test_work_is_done_again_and_again_until_close() -> None:
    turns = threading.Semaphore(0)
    thread = PeriodicThread("test-periodic", [Periodic("work", 0.001, turns.release)])

    thread.start()
    came = [turns.acquire(timeout=10) for _ in range(3)]
    thread.close(10)
    thread.close(10)

    assert came == [True, True, True]
    assert "test-periodic" not in {item.name for item in threading.enumerate()}


def test_each_work_keeps_its_own_interval() -> None:
    quick, slow = threading.Semaphore(0), threading.Semaphore(0)
    thread = PeriodicThread("test", [Periodic("quick", 0.001, quick.release), Periodic("slow", 3600, slow.release)])

    thread.start()
    came = [quick.acquire(timeout=10) for _ in range(5)]
    thread.close(10)

    assert all(came)
    assert not slow.acquire(blocking=False)


def test_outage_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    turns = threading.Semaphore(0)
    is_away = True

    def work() -> None:
        turns.release()
        if is_away:
            raise DatabaseUnavailable("away")

    thread = PeriodicThread("test", [Periodic("work", 0.001, work)])
    with caplog.at_level(logging.INFO):
        thread.start()
        for _ in range(4):
            assert turns.acquire(timeout=10)
        is_away = False
        for _ in range(3):
            assert turns.acquire(timeout=10)
        thread.close(10)

    assert [record.message for record in caplog.records] == ["work has to wait: away", "work goes on"]


def test_defect_is_logged_with_its_traceback_and_the_thread_lives(caplog: pytest.LogCaptureFixture) -> None:
    turns = threading.Semaphore(0)

    def work() -> None:
        turns.release()
        raise ZeroDivisionError

    thread = PeriodicThread("test", [Periodic("work", 0.001, work)])
    thread.start()
    came = [turns.acquire(timeout=10) for _ in range(2)]
    thread.close(10)

    assert came == [True, True]
    assert "ZeroDivisionError" in caplog.text


def test_close_before_start_does_nothing() -> None:
    PeriodicThread("test", [Periodic("work", 1.0, lambda: None)]).close(1)
