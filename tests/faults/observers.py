"""Observers: each looks at accepted jobs in its own way until they have ended, and writes down what it saw."""

import queue
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from tests.faults.door import Door
from tests.faults.history import Sight, canonical
from tests.faults.ledger import FINAL, Ledger

_WAIT_SECONDS = 5
_CLOSE_SECONDS = 60.0
_AGAIN_SECONDS = 0.05
_QUEUE_SECONDS = 0.2

MakeDoor = Callable[[], Door]


def look(ledger: Ledger, door: Door, server: str, job_id: str, way: str, wait_seconds: int = 0) -> str:
    """The job's state, which is written down with its result; empty where there was no answer."""
    began = time.monotonic()
    method = "DELETE" if way == "cancel" else "GET"
    path = f"/v1/jobs/{job_id}" + (f"?wait={wait_seconds}" if wait_seconds else "")
    status, found = door.ask(server, method, path)
    if status == 404:
        ledger.log.write(Sight(job_id, way, server, began, time.monotonic(), "absent"))
        return ""
    if status != 200 or found.get("id") != job_id:
        return ""
    state = str(found["state"])
    answer = canonical(found.get("result")) if state in FINAL else ""
    ledger.log.write(Sight(job_id, way, server, began, time.monotonic(), state, answer))
    return state


class Observer(ABC):
    """A thread that looks at jobs, from start() to close()."""

    way: str

    def __init__(self, ledger: Ledger, make_door: MakeDoor, random_source: random.Random) -> None:
        self.ledger, self.random = ledger, random_source
        self.stopping = threading.Event()
        self._make_door = make_door
        self._thread = threading.Thread(target=self._work, name=f"fault-observer-{self.way}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self.stopping.set()
        self._thread.join(_CLOSE_SECONDS)

    @abstractmethod
    def has_seen_end(self, door: Door, server: str, job_id: str) -> bool:
        """Look once; whether the job has ended."""

    def _work(self) -> None:
        door = self._make_door()
        while not self.stopping.is_set():
            try:
                job_id = self.ledger.open_jobs.get(timeout=_QUEUE_SECONDS)
            except queue.Empty:
                continue
            if self.has_seen_end(door, self.random.choice(door.names), job_id):
                self.ledger.note_ended(job_id)
            else:
                self.ledger.open_jobs.put(job_id)
                self.stopping.wait(_AGAIN_SECONDS)
        door.close()


class Waiter(Observer):
    """Long polls."""

    way = "wait"

    def has_seen_end(self, door: Door, server: str, job_id: str) -> bool:
        return look(self.ledger, door, server, job_id, self.way, _WAIT_SECONDS) in FINAL


class Poller(Observer):
    """Asks again and again."""

    way = "get"

    def has_seen_end(self, door: Door, server: str, job_id: str) -> bool:
        return look(self.ledger, door, server, job_id, self.way) in FINAL


class Follower(Observer):
    """Reads server-sent events, and resumes a stream that broke off, at whichever server."""

    way = "events"

    def has_seen_end(self, door: Door, server: str, job_id: str) -> bool:
        last_id = ""
        while not self.stopping.is_set():
            began, resumed_from = time.monotonic(), last_id
            for event_id, found in door.events(server, f"/v1/jobs/{job_id}/events", last_id):
                last_id = event_id
                state = str(found["state"])
                answer = canonical(found.get("result")) if state in FINAL else ""
                self.ledger.log.write(Sight(job_id, self.way, server, began, time.monotonic(), state, answer))
                if state in FINAL:
                    return True
            if last_id == resumed_from:
                return False  # nothing came: somebody else may look
            server = self.random.choice(door.names)
        return False


class Rereader(Observer):
    """Looks again at jobs whose end was seen: what they were, they must stay."""

    way = "again"

    def has_seen_end(self, door: Door, server: str, job_id: str) -> bool:
        return look(self.ledger, door, server, job_id, self.way) in FINAL

    def _work(self) -> None:
        door = self._make_door()
        while not self.stopping.wait(_AGAIN_SECONDS):
            if self.ledger.ended:
                self.has_seen_end(door, self.random.choice(door.names), self.random.choice(self.ledger.ended))
        door.close()
