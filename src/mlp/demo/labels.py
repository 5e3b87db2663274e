"""Labels on their way: known once a flight has arrived, never sent before its prediction was answered."""

import heapq
import threading
from dataclasses import dataclass
from datetime import datetime

from mlp.client import Label


@dataclass(frozen=True, slots=True, order=True)
class Outcome:
    """What came of one flight: when it was at the gate (aware), and whether that was too late."""

    arrived: datetime
    key: str
    is_late: bool


class LabelQueue:
    """Outcomes of answered flights, in the order of their arrival. Safe for use by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[Outcome] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, outcome: Outcome) -> None:
        """Have a label for this flight, whose prediction was answered."""
        with self._lock:
            heapq.heappush(self._heap, outcome)

    def take_due(self, moment: datetime, labels_max: int) -> list[Label]:
        """Labels of the flights that have arrived by the moment, the earliest first, at most so many; each once."""
        due: list[Label] = []
        with self._lock:
            while self._heap and self._heap[0].arrived <= moment and len(due) < labels_max:
                outcome = heapq.heappop(self._heap)
                due.append(Label(outcome.is_late, key=outcome.key, at=outcome.arrived, source="arrival"))
        return due
