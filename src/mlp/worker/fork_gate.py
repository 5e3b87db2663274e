"""Keeps forks and threads of the parent apart: a child must not be born while a thread holds a lock it will miss.

The parent of a worker's processes has a few threads of its own. Each works inside the gate; a fork waits for it.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: A thread that stays inside for longer holds no fork up: a missing process is worse than a small risk.
_WAIT_SECONDS = 5.0


class ForkGate:
    """A lock that a fork takes before and gives back after; the child gets a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        if sys.platform != "win32":
            os.register_at_fork(before=self._before, after_in_parent=self._after, after_in_child=self._in_child)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Work that a fork must not interrupt."""
        with self._lock:
            yield

    def around(self, work: Callable[[], object]) -> Callable[[], None]:
        """The work, done inside."""

        def turn() -> None:
            with self._lock:
                work()

        return turn

    def _before(self) -> None:
        self._is_taken = self._lock.acquire(timeout=_WAIT_SECONDS)

    def _after(self) -> None:
        if self._is_taken:
            self._lock.release()

    def _in_child(self) -> None:
        self._lock = threading.Lock()
