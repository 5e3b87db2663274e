"""What a worker's processes show their parent in shared memory: that they live, when they last looked for jobs, and
whether they are at one. A process that is stuck says nothing, and so is found out.

Times are those of CLOCK_MONOTONIC, which the processes of a machine share.
"""

import multiprocessing
from dataclasses import dataclass

from mlp.clock import monotonic

#: Places in the shared memory: more than a worker may have processes, since a new one may come before an old one ends.
_PLACES = 512
_NUMBERS = 4


@dataclass(frozen=True, slots=True)
class Sign:
    """What one process showed last.

    Attributes:
        shown_at: When it last showed anything.
        looked_at: When it last looked for jobs, or began.
        is_at_job: Whether it runs one.
    """

    pid: int
    shown_at: float
    looked_at: float
    is_at_job: bool


class VitalSigns:
    """Made by the parent before it forks; each child writes at its own place, and nobody waits for a lock."""

    def __init__(self) -> None:
        self._numbers = multiprocessing.get_context("fork").RawArray("d", _PLACES * _NUMBERS)
        self._place = 0

    def begin(self, pid: int) -> None:
        """In a child: take a place, by the process id; two that fall on one place are told apart by it."""
        self._place = (pid % _PLACES) * _NUMBERS
        moment = monotonic()
        self._numbers[self._place : self._place + _NUMBERS] = [float(pid), moment, moment, 0.0]

    def show(self) -> None:
        """In a child: it lives."""
        self._numbers[self._place + 1] = monotonic()

    def look(self) -> None:
        """In a child: it looks for jobs."""
        moment = monotonic()
        self._numbers[self._place + 1] = self._numbers[self._place + 2] = moment

    def begin_job(self) -> None:
        """In a child: it is at a job."""
        self._numbers[self._place + 3] = 1.0

    def end_job(self) -> None:
        """In a child: it is at no job."""
        self._numbers[self._place + 3] = 0.0

    def of(self, pid: int) -> Sign | None:
        """In the parent: what the process showed; None if it has shown nothing yet."""
        place = (pid % _PLACES) * _NUMBERS
        found, shown_at, looked_at, at_job = self._numbers[place : place + _NUMBERS]
        return Sign(pid, shown_at, looked_at, at_job > 0) if int(found) == pid else None
