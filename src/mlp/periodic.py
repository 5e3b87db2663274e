"""Runs small pieces of work again and again in one thread, each at its own interval; a failure skips one turn."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlp.clock import monotonic
from mlp.errors import Unavailable
from mlp.observability.metrics import counter

_log = logging.getLogger(__name__)
_failures = counter("mlp_periodic_failures_total", "Turns of periodic work that failed.", ("work",))


@dataclass(frozen=True)
class Periodic:
    """One piece of work: short, safe to repeat, and done every ``interval_seconds``; first after one, or at once."""

    name: str
    interval_seconds: float
    work: Callable[[], object]
    is_due_at_once: bool = False


class PeriodicThread:
    """The thread that does a list of periodic work; its owner starts and closes it."""

    def __init__(self, name: str, works: Sequence[Periodic]) -> None:
        self._works = list(works)
        self._stopping = threading.Event()
        self._known_troubles: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; each piece of work has its first turn after one interval, unless it is due at once."""
        self._thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Let the turn under way end, then stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        due = {item.name: monotonic() + (0 if item.is_due_at_once else item.interval_seconds) for item in self._works}
        while self._works:
            if self._stopping.wait(max(0.0, min(due.values()) - monotonic())):
                return
            for item in self._works:
                if due[item.name] <= monotonic():
                    self._turn(item)
                    due[item.name] = monotonic() + item.interval_seconds

    def _turn(self, item: Periodic) -> None:
        try:
            item.work()
        except Unavailable as error:
            _failures.labels(item.name).inc()
            # Once for each new reason: an outage of an hour must not fill the log.
            if self._known_troubles.get(item.name) != error.code:
                self._known_troubles[item.name] = error.code
                _log.warning("%s has to wait: %s", item.name, error)
        except Exception:  # a defect; the next turn may do better, and the thread must live
            _failures.labels(item.name).inc()
            _log.exception("%s failed and goes on", item.name)
        else:
            if self._known_troubles.pop(item.name, None) is not None:
                _log.info("%s goes on", item.name)
