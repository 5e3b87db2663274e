"""What the clients did and saw: events, and a log of them that is on the disk before a request leaves.

Times are seconds of the monotonic clock, one for all threads of the harness. The events of one log are in the order
in which they were written; the checker goes by their times.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec


class Attempt(msgspec.Struct, frozen=True, tag="attempt"):
    """One request to accept a job, and what came of it.

    Attributes:
        key: The Idempotency-Key; the same for every attempt at one job.
        number: Of the job, its input and part of its output.
        outcome: ``begun`` is written before the request leaves; then ``accepted``, ``rejected`` or ``unknown``.
    """

    key: str
    number: int
    server: str
    outcome: str
    began: float
    ended: float = 0.0
    status: int = 0
    job_id: str = ""


class Sight(msgspec.Struct, frozen=True, tag="sight"):
    """What an observer saw of a job.

    Attributes:
        way: How it looked: ``get``, ``wait``, ``events``, ``prefer``, ``cancel``, ``again``, ``drain``.
        answer: The result's canonical text; empty where there was none.
    """

    job_id: str
    way: str
    server: str
    began: float
    ended: float
    state: str
    answer: str = ""


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """A fault that was caused, and how long it took to get over it.

    Attributes:
        heal_seconds: From the beginning of undoing it until every component's own health check passed.
        probe_seconds: From then until a probe job's result was read; negative: it never was.
        trouble: What went wrong while causing or healing it; empty: nothing.
        database_away: When no commit was possible, from and to.
        load: Of the machine over the last minute, processes that could run: times mean little where it is high.
        calm_seconds: As probe_seconds, before the fault: what the machine takes without one.
    """

    number: int
    kind: str
    target: str
    began: float
    ended: float
    heal_seconds: float
    probe_seconds: float
    probe_seconds_max: float
    accepted: int
    trouble: str = ""
    database_away: tuple[float, float] | None = None
    load: float = 0.0
    calm_seconds: float = 0.0


Event = Attempt | Sight | Fault


class HistoryLog:
    """An append-only file of events; safe for use by several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._written = self._synced = 0

    def write(self, event: Event) -> None:
        """Append the event; sync() brings it to the disk."""
        line = msgspec.json.encode(event) + b"\n"
        with self._writing:
            os.write(self._file, line)
            self._written += 1

    def sync(self) -> None:
        """Return when all that was written before is on the disk; threads that come together share one fsync."""
        mine = self._written
        with self._syncing:
            if self._synced < mine:
                written = self._written
                os.fsync(self._file)
                self._synced = written

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)


def read_history(path: Path) -> Iterator[Event]:
    """The events of a log."""
    decoder = msgspec.json.Decoder(Event)
    with path.open("rb") as file:
        for line in file:
            yield decoder.decode(line)


def read_executions(path: Path) -> list[tuple[int, int, int]]:
    """Number, nonce and process of each execution that the model wrote down."""
    if not path.exists():
        return []
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return [(int(words[0]), int(words[1]), int(words[2])) for words in lines if len(words) == 3]


def canonical(result: Any) -> str:
    """The text of a result by which two are compared: without what differs between two readings of one, if anything."""
    return "" if result is None else json.dumps(result, sort_keys=True, separators=(",", ":"))
