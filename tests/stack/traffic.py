"""Traffic through Traefik while something is done to the stack: predictions and jobs, every outcome counted."""

import json
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Self

import urllib3

URL = "http://localhost:4789"
ROWS = [{"x": 1.0, "y": 2.0}]
#: A request a client would not wait longer for.
TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.02


@dataclass
class Outcomes:
    """What became of the requests of one kind: how many, the failed ones by reason, and the ids that were answered."""

    sent: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0

    @property
    def failures(self) -> int:
        """Requests that were not answered as they should."""
        return sum(self.failed.values())


class Traffic:
    """Threads that predict, and one that submits jobs, from entering to leaving a ``with`` block.

    Args:
        has_labels: A thread more, which predicts and sends the label of what it has predicted.
    """

    def __init__(
        self, model: str = "sign", *, clients: int = 2, has_jobs: bool = True, has_labels: bool = False
    ) -> None:
        self.predictions = Outcomes()
        self.jobs = Outcomes()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._pool = urllib3.PoolManager(maxsize=clients + 2, retries=False)
        work = [(f"/v1/models/{model}/predict", 200, self.predictions)] * clients
        work += [(f"/v1/models/{model}/jobs", 202, self.jobs)] if has_jobs else []
        self._threads = [threading.Thread(target=self._send, args=each, daemon=True) for each in work]
        if has_labels:
            self._threads.append(threading.Thread(target=self._label, args=(model,), daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_SECONDS)

    def _send(self, path: str, expected: int, outcomes: Outcomes) -> None:
        body = json.dumps({"rows": ROWS}).encode()
        while not self._stopping.wait(_PAUSE_SECONDS):
            began = time.monotonic()
            answered_id, failure = self._once(path, expected, body)
            seconds = time.monotonic() - began
            with self._lock:
                outcomes.sent += 1
                outcomes.slowest_seconds = max(outcomes.slowest_seconds, seconds)
                if failure is None:
                    outcomes.ids.append(answered_id)
                else:
                    outcomes.failed[failure] += 1

    def _label(self, model: str) -> None:
        """Label what was predicted some twenty predictions ago, which has reached the database by now."""
        answered: deque[str] = deque()
        while not self._stopping.wait(5 * _PAUSE_SECONDS):
            answered_id, failure = self._once(f"/v1/models/{model}/predict", 200, json.dumps({"rows": ROWS}).encode())
            if failure is None:
                answered.append(answered_id)
            if len(answered) > 20:
                label = {"model": model, "labels": [{"id": answered.popleft(), "label": True}]}
                self._once("/v1/feedback", 200, json.dumps(label).encode())

    def _once(self, path: str, expected: int, body: bytes) -> tuple[str, str | None]:
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._pool.request("POST", URL + path, body=body, headers=headers, timeout=TIMEOUT_SECONDS)
        except urllib3.exceptions.HTTPError as error:
            return "", type(error).__name__
        if answer.status != expected:
            return "", f"{answer.status}"
        return answer.json().get("id", ""), None


def ask(method: str, path: str, document: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
    """The answer to one request through Traefik."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None if document is None else json.dumps(document).encode()
    if body is not None:
        named.setdefault("content-type", "application/json")
    return urllib3.request(method, URL + path, body=body, headers=named, timeout=30, retries=False)
