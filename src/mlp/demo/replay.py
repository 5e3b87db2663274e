"""Plays flights to a server as live traffic: a prediction at each departure, a label at each arrival.

Threads share the work: many ask for predictions in the order of departure, one sends the labels. What happened is
counted here; showing it is the business of ``live_table`` and ``report``.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlp.client import Client, Label
from mlp.demo.labels import LabelQueue, Outcome
from mlp.demo.patience import ask_again
from mlp.demo.schedule import FEATURES, LABEL
from mlp.demo.simulated_clock import SimulatedClock
from mlp.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

MODEL = "flights"
# Labels that fall due within this time travel together: a few simulated hours at full speed.
_LABELS_EVERY_SECONDS = 0.1
_LABELS_PER_REQUEST = 2000
_REPORT_EVERY_SECONDS = 0.25
_ROWS_MADE_AT_ONCE = 1024
# What "per second" and "latency" mean while the replay runs: the latest requests, some seconds' worth.
_LATEST_REQUESTS = 4096


@dataclass(frozen=True, slots=True)
class Flight:
    """One flight as it is replayed.

    Attributes:
        index: Its place in the order of departure, from 0.
        row: The model's inputs, None where the weather was not measured.
        departs: When it is scheduled to, aware.
        outcome: What came of it; None for a flight cancelled or diverted.
    """

    index: int
    key: str
    row: dict[str, Any]
    departs: datetime
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay stands.

    Attributes:
        reached: Simulated time, aware.
        requests_per_second: Of the latest predictions; 0 before the first.
        latency_p50_seconds: Of the latest predictions, from question to answer; None before the first.
    """

    flights: int
    answered: int
    reached: datetime
    elapsed_seconds: float
    requests_per_second: float
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    labels_sent: int


class Replay:
    """One replay of some flights against one server.

    Args:
        client: Used by several threads at once.
        flights: A schedule as ``read_schedule`` gives it, in the order of departure; at least one flight.
        days_per_second: Speed of simulated time; None goes as fast as the answers come.
        requests_in_flight: Threads that ask for predictions.

    Attributes:
        latency_seconds: float64 [flights], from question to answer as its thread saw it; NaN until answered.
        scores: float64 [flights], the answered probability of being late; NaN until answered.
        labels_parked: Labels that came before their inference was in the database; the server ties them later.
    """

    def __init__(
        self, client: Client, flights: "pd.DataFrame", *, days_per_second: float | None, requests_in_flight: int
    ) -> None:
        self._client = client
        self._flights_count = len(flights)
        self._last_arrival = max(flights["scheduled_departure"].max(), flights["arrival"].max()).to_pydatetime()
        self._departing = flights_of(flights)
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._ask,), name=f"passenger-{number}", daemon=True)
            for number in range(requests_in_flight)
        ]
        self.clock = SimulatedClock(flights["scheduled_departure"].iloc[0].to_pydatetime(), days_per_second)
        self.latency_seconds: NDArray[np.float64] = np.full(len(flights), np.nan)
        self.scores: NDArray[np.float64] = np.full(len(flights), np.nan)
        self.labels_parked = 0
        self._labels = LabelQueue()
        self._labels_sent = 0
        # Two locks, since the one is held while the next departure is waited for.
        self._departure_lock = threading.Lock()
        self._count_lock = threading.Lock()
        self._is_stopped = threading.Event()
        self._failure: BaseException | None = None
        self._answered = 0
        self._latest: deque[tuple[float, float]] = deque(maxlen=_LATEST_REQUESTS)
        self._started = time.perf_counter()

    def run(self, report: Callable[[Progress], None]) -> Progress:
        """Where the replay stands when all flights are answered and all labels sent; blocks until then.

        Args:
            report: Called four times a second, and at the end.

        Raises:
            mlp.errors.MLPError: The server refused, or went away; the replay has stopped.
        """
        self._started = time.perf_counter()
        labeller = threading.Thread(target=self._guarded, args=(self._send_labels,), name="tower", daemon=True)
        try:
            for thread in (*self._threads, labeller):
                thread.start()
            while labeller.is_alive():
                labeller.join(_REPORT_EVERY_SECONDS)
                report(self.progress())
        finally:
            self._is_stopped.set()
            for thread in (*self._threads, labeller):
                if thread.ident is not None:
                    thread.join()
        if self._failure is not None:
            raise self._failure
        return self.progress()

    def progress(self) -> Progress:
        """Where the replay stands now."""
        now = time.perf_counter()
        with self._count_lock:
            latest = list(self._latest)
        p50 = p95 = None
        if latest:
            p50, p95 = np.quantile([seconds for _, seconds in latest], (0.5, 0.95)).tolist()
        return Progress(
            flights=self._flights_count,
            answered=self._answered,
            reached=self.clock.reached,
            elapsed_seconds=now - self._started,
            requests_per_second=len(latest) / (now - latest[0][0]) if latest else 0.0,
            latency_p50_seconds=p50,
            latency_p95_seconds=p95,
            labels_sent=self._labels_sent,
        )

    def _guarded(self, work: Callable[[], None]) -> None:
        """Runs the work of one thread; its error stops the replay and is raised again where ``run`` was called."""
        try:
            work()
        # Whatever ends a thread must end the replay, or it would wait for that thread's flights for ever.
        except BaseException as error:
            with self._count_lock:
                self._failure = self._failure or error
            self._is_stopped.set()

    def _ask(self) -> None:
        while (flight := self._next_flight()) is not None:
            started = time.perf_counter()
            score = self._score(flight)
            ended = time.perf_counter()
            self.latency_seconds[flight.index] = ended - started
            self.scores[flight.index] = score
            if flight.outcome is not None:
                self._labels.add(flight.outcome)
            with self._count_lock:
                self._answered += 1
                self._latest.append((started, ended - started))

    def _next_flight(self) -> Flight | None:
        """The next flight in the order of departure, once simulated time is there; None at the end."""
        with self._departure_lock:
            flight = next(self._departing, None)
            if flight is not None:
                self.clock.wait_until(flight.departs, self._is_stopped)
            return None if self._is_stopped.is_set() else flight

    def _score(self, flight: Flight) -> float:
        answer = ask_again(
            lambda: self._client.predict(MODEL, [flight.row], keys=[flight.key], at=flight.departs), self._is_stopped
        )
        probabilities = answer.predictions[0].probabilities or {}
        return float(probabilities["true"])

    def _send_labels(self) -> None:
        while not self._is_stopped.is_set():
            is_all_answered = not any(thread.is_alive() for thread in self._threads)
            if is_all_answered:
                self.clock.move_towards(self._last_arrival)
            due = self._labels.take_due(self.clock.reached, _LABELS_PER_REQUEST)
            if due:
                self._send(due)
            if is_all_answered and len(self._labels) == 0:
                return
            if len(due) < _LABELS_PER_REQUEST:
                self._is_stopped.wait(_LABELS_EVERY_SECONDS)

    def _send(self, labels: list[Label]) -> None:
        became = ask_again(lambda: self._client.feedback(MODEL, labels), self._is_stopped)
        if became.rejected:
            raise BadInput(
                f"the server refused the label of {labels[became.rejected[0].index].key}: {became.rejected[0].detail}"
            )
        self._labels_sent += len(labels)
        self.labels_parked += became.parked


def flights_of(schedule: "pd.DataFrame") -> Iterator[Flight]:
    """The flights of a schedule in its order; made some at a time, so that a year of them does not fill the memory."""
    for first in range(0, len(schedule), _ROWS_MADE_AT_ONCE):
        part = schedule.iloc[first : first + _ROWS_MADE_AT_ONCE]
        inputs = part[[*FEATURES]].astype(object)
        rows = inputs.where(inputs.notna(), None).to_dict("records")
        columns = (part["key"], part["scheduled_departure"], part["arrival"], part["arrival"].notna(), part[LABEL])
        for index, (row, key, departs, arrives, has_arrived, is_late) in enumerate(
            zip(rows, *(column.tolist() for column in columns), strict=True), start=first
        ):
            outcome = Outcome(arrives.to_pydatetime(), key, is_late) if has_arrived else None
            yield Flight(index, key, row, departs.to_pydatetime(), outcome)
