"""Clients: each submits jobs, and repeats what stayed open under the same key until the server has said yes or no."""

import random
import threading
import time
from collections.abc import Callable

from tests.faults.door import Door
from tests.faults.ledger import Ledger
from tests.faults.observers import look
from tests.faults.submissions import Submission, any_request, is_to_repeat

_PAUSE_SECONDS = (0.05, 0.5)
_CLOSE_SECONDS = 90.0
_LATE_SECONDS_MAX = 0.5
_PAUSE_SECONDS_MIN = 0.005
_CANCELLED_SHARE = 0.01
_FORGOTTEN_SHARE = 0.02


class Client:
    """A thread that submits at a pace, from start() to join(), which waits until nothing of it is open.

    Args:
        pace_seconds: Between the beginnings of two requests, on average.
        outstanding_max: It waits while so many accepted jobs have not ended.
    """

    def __init__(
        self,
        ledger: Ledger,
        make_door: Callable[[], Door],
        random_source: random.Random,
        *,
        pace_seconds: float,
        outstanding_max: int = 400,
    ) -> None:
        self._ledger, self._make_door, self._random = ledger, make_door, random_source
        self._pace_seconds, self._outstanding_max = pace_seconds, outstanding_max
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="fault-client", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Submit nothing new."""
        self._stopping.set()

    def join(self) -> None:
        """Return when the last request has its answer, or after a long time without one."""
        self._thread.join(_CLOSE_SECONDS)
        self._giving_up.set()
        self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        door = self._make_door()
        due = time.monotonic()
        while not self._stopping.is_set():
            if self._ledger.outstanding < self._outstanding_max:
                self._submit(door)
            # What an outage held up is not made up for: that would be a storm of our own.
            due = max(due, time.monotonic() - _LATE_SECONDS_MAX) + self._random.expovariate(1 / self._pace_seconds)
            self._stopping.wait(max(_PAUSE_SECONDS_MIN, due - time.monotonic()))
        door.close()

    def _submit(self, door: Door) -> None:
        submission = Submission(self._ledger, door, any_request(self._ledger, self._random))
        while not self._giving_up.is_set():
            status, job_ids = submission.attempt(self._random.choice(door.names))
            if job_ids:
                self._ledger.note_accepted(job_ids)
                self._think_again(door, submission, job_ids)
                return
            if not is_to_repeat(status):
                return
            time.sleep(self._random.uniform(*_PAUSE_SECONDS))

    def _think_again(self, door: Door, submission: Submission, job_ids: list[str]) -> None:
        """Now and then a client forgets that it has its answer and asks once more, or wants its job no longer."""
        chance = self._random.random()
        server = self._random.choice(door.names)
        if chance < _FORGOTTEN_SHARE:
            submission.attempt(server)
        elif chance < _FORGOTTEN_SHARE + _CANCELLED_SHARE:
            look(self._ledger, door, server, job_ids[0], "cancel")
