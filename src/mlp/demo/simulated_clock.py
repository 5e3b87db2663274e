"""The time that a replay has reached: pushed on by the flights that depart, held back to a speed where one is set."""

import threading
from datetime import datetime, timedelta

from mlp import clock

_LOOK_EVERY_SECONDS = 0.02
_DAY = timedelta(days=1)


class SimulatedClock:
    """Simulated time, which only moves when somebody wants a moment of it; one thread at a time may move it.

    So it never runs ahead of the work: when the machine is slower than the speed asked for, time waits for it.

    Args:
        starts_at: Aware; where it stands at first.
        days_per_second: Simulated days for each real second; None jumps to every moment that is wanted.
    """

    def __init__(self, starts_at: datetime, days_per_second: float | None) -> None:
        self._starts_at = starts_at
        self._days_per_second = days_per_second
        self._started = clock.monotonic()
        self._reached = starts_at

    @property
    def reached(self) -> datetime:
        """Where simulated time stands, aware; never goes back."""
        return self._reached

    def move_towards(self, moment: datetime) -> bool:
        """Move as far as the speed allows by now, and not beyond the moment; whether that is reached."""
        allowed = moment
        if self._days_per_second is not None:
            elapsed_seconds = clock.monotonic() - self._started
            # Compared as days, since a span of any length fits a float but not a date.
            if elapsed_seconds * self._days_per_second < (moment - self._starts_at) / _DAY:
                allowed = self._starts_at + elapsed_seconds * self._days_per_second * _DAY
        self._reached = max(self._reached, allowed)
        return self._reached >= moment

    def wait_until(self, moment: datetime, is_stopped: threading.Event) -> None:
        """Block until simulated time has reached the moment, or ``is_stopped`` is set."""
        while not self.move_towards(moment) and not is_stopped.is_set():
            is_stopped.wait(_LOOK_EVERY_SECONDS)
