"""Simulated time: jumps without a speed, keeps to one where it is set, never goes back."""

import threading
from datetime import timedelta

import pytest

from mlp import clock
from mlp.demo.simulated_clock import SimulatedClock
from tests.unit.demo.conftest import moment

START = moment("2013-03-01T10:00:00Z")
LATER = moment("2013-03-02T10:00:00Z")


def test_clock_without_a_speed_is_at_once_where_it_is_wanted() -> None:
    simulated = SimulatedClock(START, None)

    simulated.wait_until(LATER, threading.Event())

    assert simulated.reached == LATER


def test_clock_never_goes_back() -> None:
    simulated = SimulatedClock(LATER, None)

    assert simulated.move_towards(START)
    assert simulated.reached == LATER


def test_clock_with_a_speed_passes_a_day_in_its_time() -> None:
    simulated = SimulatedClock(START, 20.0)
    started = clock.monotonic()

    simulated.wait_until(LATER, threading.Event())

    assert simulated.reached == LATER
    assert clock.monotonic() - started >= 1 / 20


def test_clock_with_a_speed_stands_between_start_and_moment_meanwhile() -> None:
    simulated = SimulatedClock(START, 0.001)

    assert not simulated.move_towards(LATER)
    assert START <= simulated.reached < START + timedelta(hours=1)


def test_clock_that_is_stopped_does_not_wait() -> None:
    stopped = threading.Event()
    stopped.set()
    simulated = SimulatedClock(START, 1e-9)

    simulated.wait_until(LATER, stopped)

    assert simulated.reached < LATER


@pytest.mark.parametrize("days_per_second", [1e300, float("inf")])
def test_clock_of_boundless_speed_still_stops_at_the_moment(days_per_second: float) -> None:
    simulated = SimulatedClock(START, days_per_second)

    simulated.wait_until(LATER, threading.Event())

    assert simulated.reached == LATER
