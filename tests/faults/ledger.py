"""What clients and observers share: the log, and which jobs are accepted and not yet seen to end."""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.history import HistoryLog

FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass
class Ledger:
    """Safe for use by several threads.

    Attributes:
        run: What the keys of this run begin with.
        open_jobs: Accepted, and for observers to look at.
        ended: Jobs whose end was seen, for second looks.
    """

    log: HistoryLog
    run: str
    open_jobs: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    ended: list[str] = field(default_factory=list)
    accepted: int = 0
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_numbers(self, count: int) -> list[int]:
        """Numbers of jobs, each given once."""
        with self._lock:
            self._number += count
            return list(range(self._number - count + 1, self._number + 1))

    def note_accepted(self, job_ids: Sequence[str]) -> None:
        """Jobs to observe."""
        with self._lock:
            self.accepted += len(job_ids)
        for job_id in job_ids:
            self.open_jobs.put(job_id)

    def note_ended(self, job_id: str) -> None:
        """A job whose end was seen."""
        with self._lock:
            self.ended.append(job_id)

    @property
    def outstanding(self) -> int:
        """Accepted, and not seen to end."""
        return self.accepted - len(self.ended)
