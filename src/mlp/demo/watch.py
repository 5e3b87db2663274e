"""Asks the server again and again what its monitor knows, without taking much of the time that it needs to answer."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from mlp.client import Client, Drift, Quality
from mlp.demo.options import Period
from mlp.demo.replay import MODEL
from mlp.errors import DeadlineExceeded, MLPError

# Between two looks: time enough for the numbers to change, and at least so many times as long as a look takes, so
# that looking takes less than a tenth of the server.
_PAUSE_SECONDS = 3.0
_PAUSE_LOOKS = 10.0
# A period up to this long is shown by day, as the monitor itself would choose; longer ones by month.
_DAYS_SHOWN_BY_DAY = 14
_COMPLETE_SECONDS_MAX = 60.0
_LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Known:
    """What the server's monitor said last, and AUC over all labels so far; None before there was anything."""

    quality: Quality | None = None
    drift: Drift | None = None
    auc_so_far: float | None = None


class Monitor:
    """The windows of one period, by month, or by day where the period is short. Windows are days in UTC."""

    def __init__(self, client: Client, period: Period) -> None:
        self._client = client
        self._period = period
        self._by: Literal["day", "month"] = "day" if period.days <= _DAYS_SHOWN_BY_DAY else "month"

    def quality(self) -> Quality:
        """Quality from the labels that are known by now."""
        return self._client.quality(MODEL, by=self._by, since=self._period.since, until=self._period.until)

    def drift(self) -> Drift:
        """Drift of all that was recorded by now."""
        return self._client.drift(MODEL, by=self._by, since=self._period.since, until=self._period.until)

    def wait_until_complete(self, predictions: int) -> None:
        """Block until the database has so many predictions, and every label that came is tied to one.

        Raises:
            DeadlineExceeded: Not within 60 s.
        """
        deadline = time.monotonic() + _COMPLETE_SECONDS_MAX
        while True:
            summary = self._client.feedback_summary(MODEL)
            if summary.predictions >= predictions and summary.parked == 0:
                return
            if time.monotonic() > deadline:
                raise DeadlineExceeded(
                    f"after {_COMPLETE_SECONDS_MAX:g} s the database has {summary.predictions} of {predictions} "
                    f"predictions, and {summary.parked} labels wait for theirs"
                )
            time.sleep(_LOOK_EVERY_SECONDS)


class Watcher:
    """A thread that looks at the monitor every few seconds; ``known`` is what it saw last.

    Args:
        auc_so_far: Computed at each look.
    """

    def __init__(self, monitor: Monitor, auc_so_far: Callable[[], float | None]) -> None:
        self._monitor = monitor
        self._auc_so_far = auc_so_far
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="watcher", daemon=True)
        self.known = Known()

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopped.set()
        self._thread.join()

    def _look_on(self) -> None:
        pause_seconds = _PAUSE_SECONDS
        while not self._is_stopped.wait(pause_seconds):
            started = time.perf_counter()
            try:
                self.known = replace(self.known, quality=self._monitor.quality(), auc_so_far=self._auc_so_far())
                self.known = replace(self.known, drift=self._monitor.drift())
            except MLPError:
                # The table then keeps what it has. Should the server be gone, the replay itself says so.
                pass
            pause_seconds = max(_PAUSE_SECONDS, _PAUSE_LOOKS * (time.perf_counter() - started))
