"""Requests that make jobs, in every form that there is, and one's way to an answer."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.door import Door
from tests.faults.history import Attempt, Sight, canonical
from tests.faults.ledger import FINAL, Ledger
from tests.faults.model import NAME, SLOW_NAME, quick_milliseconds, row_of, slow_milliseconds

_BULK_JOBS = (2, 6)
_JOBS, _BULK, _PREDICT = "/v1/models/{}/jobs", "/v1/models/{}/jobs/bulk", "/v1/models/{}/predict"
_SLOW_SHARE = 0.006


@dataclass(frozen=True)
class JobRequest:
    """What is sent, again and again until there is an answer.

    Attributes:
        numbers: Of the jobs; several make a bulk submit.
        key: Of the request; the jobs of a bulk submit have it with ``/`` and their index.
    """

    numbers: Sequence[int]
    key: str
    path: str
    document: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_bulk(self) -> bool:
        return self.path.endswith("/bulk")

    @property
    def keys(self) -> list[str]:
        """The jobs' own keys."""
        return [f"{self.key}/{index}" for index in range(len(self.numbers))] if self.is_bulk else [self.key]


def any_request(ledger: Ledger, source: random.Random) -> JobRequest:
    """A request of chance's choice."""
    chance = source.random()
    count = source.randint(*_BULK_JOBS) if chance < 0.08 else 1
    numbers = ledger.next_numbers(count)
    key = f"{ledger.run}-{numbers[0]}"
    if count > 1:
        jobs = [_job(number, quick_milliseconds(source), source) for number in numbers]
        return JobRequest(numbers, key, _BULK.format(NAME), {"jobs": jobs})
    is_slow = source.random() < _SLOW_SHARE
    sleep_ms = slow_milliseconds(source) if is_slow else quick_milliseconds(source)
    job, model = _job(numbers[0], sleep_ms, source), SLOW_NAME if is_slow else NAME
    if chance < 0.16:
        return JobRequest(numbers, key, _PREDICT.format(model), job, {"prefer": "respond-async"})
    return JobRequest(numbers, key, _JOBS.format(model), job, {"prefer": "wait=2"} if chance < 0.24 else {})


def urgent_request(ledger: Ledger) -> JobRequest:
    """One quick job that goes before all others."""
    (number,) = ledger.next_numbers(1)
    document = {"rows": [row_of(number, 1)], "priority": "high"}
    return JobRequest([number], f"{ledger.run}-{number}", _JOBS.format(NAME), document)


def _job(number: int, sleep_ms: int, source: random.Random) -> dict[str, Any]:
    job: dict[str, Any] = {"rows": [row_of(number, sleep_ms)]}
    if source.random() < 0.2:
        job["priority"] = source.choice(["high", "low"])
    return job


class Submission:
    """A request and its attempts, each written down before it leaves and when it has its answer.

    Attributes:
        log_seconds: What writing down has taken so far, which is the harness's time and not the server's.
    """

    def __init__(self, ledger: Ledger, door: Door, request: JobRequest) -> None:
        self._ledger, self._door, self.request = ledger, door, request
        self.log_seconds = 0.0

    def attempt(self, server: str) -> tuple[int, list[str]]:
        """Status and job ids of one attempt; no ids if it was not accepted."""
        self._log(server, "begun", time.monotonic())
        began = time.monotonic()
        named = {**self.request.headers, "idempotency-key": f'"{self.request.key}"'}
        status, found = self._door.ask(server, "POST", self.request.path, self.request.document, named)
        ended = time.monotonic()
        jobs = self._jobs(status, found)
        outcome = "accepted" if jobs else "unknown" if status in (0, 500) else "rejected"
        job_ids = [job["id"] for job in jobs]
        self._log(server, outcome, began, ended, status, job_ids)
        for job in jobs:
            if job["state"] in FINAL:
                answer = canonical(job.get("result"))
                self._ledger.log.write(Sight(job["id"], "prefer", server, began, ended, job["state"], answer))
        return status, job_ids

    def _jobs(self, status: int, found: dict[str, Any]) -> list[dict[str, Any]]:
        if status not in (200, 202):
            return []
        jobs = found["jobs"] if self.request.is_bulk else [found]
        assert len(jobs) == len(self.request.numbers), f"{len(self.request.numbers)} jobs were sent, {len(jobs)} came"
        # A list shows no results: a job that has ended by then is seen by others.
        return [{**job, "state": "unknown"} for job in jobs] if self.request.is_bulk else jobs

    def _log(
        self,
        server: str,
        outcome: str,
        began: float,
        ended: float = 0.0,
        status: int = 0,
        job_ids: Sequence[str] = (),
    ) -> None:
        since = time.monotonic()
        ids = job_ids or [""] * len(self.request.numbers)
        for key, number, job_id in zip(self.request.keys, self.request.numbers, ids, strict=True):
            self._ledger.log.write(Attempt(key, number, server, outcome, began, ended, status, job_id))
        self._ledger.log.sync()
        self.log_seconds += time.monotonic() - since


def is_to_repeat(status: int) -> bool:
    """Whether a client repeats: no answer, the server's trouble, or too much at once."""
    return status in (0, 429) or status >= 500
