"""A client of its own process that keeps some connections busy, each with one POST at a time: `python -m` runs it.

Written for this, since wrk and hey cannot stop after a number of accepted jobs nor keep answers: asyncio's protocols
on uvloop, requests made beforehand, answers looked at as bytes. It says what CPU time it took itself.
"""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import msgspec
import uvloop

from bench.jobs.exchange import post_request, split_answer

_ACCEPTED = 202
_START_SECONDS = 30.0
#: Pause of a connection whose job was refused for now.
_REFUSED_PAUSE_SECONDS = 0.05
ROOT = Path(__file__).resolve().parents[2]


class Order(msgspec.Struct, frozen=True):
    """What to send: ``jobs`` accepted POSTs, or as many as go into ``seconds``; the bodies are taken in turn.

    Attributes:
        bodies_file: One body a line.
        kept: Answers to give back, spread evenly over the jobs.
    """

    port: int
    path: str
    connections: int
    bodies_file: str
    jobs: int | None = None
    seconds: float | None = None
    kept: int = 0


class KeptAnswer(msgspec.Struct, frozen=True):
    """Which body was sent, and the id of the job that was made of it."""

    body_number: int
    job_id: str


class Report(msgspec.Struct, frozen=True):
    """What came of an order; moments by time.monotonic(), which all processes of a machine share.

    Attributes:
        statuses: How often each status was answered.
        latencies_seconds: p50, p90, p99 and longest time from a POST to its answer of 202.
    """

    began_at: float
    ended_at: float
    accepted: int
    statuses: dict[str, int]
    latencies_seconds: tuple[float, float, float, float]
    cpu_seconds: float
    kept: list[KeptAnswer]

    @property
    def seconds(self) -> float:
        """From the first POST to the last answer."""
        return self.ended_at - self.began_at


class LoadProcess:
    """The client as its caller sees it: connected once it is made, and waiting for run()."""

    def __init__(self, order: Order) -> None:
        command = [sys.executable, "-m", "bench.jobs.load", msgspec.json.encode(order).decode()]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read_line()

    @property
    def pid(self) -> int:
        """Of the client."""
        return self._process.pid

    def run(self) -> Report:
        """Send; blocks until everything is answered."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._read_line(), type=Report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client ended with exit code {self._process.wait(_START_SECONDS)}")
        return line


class _Load:
    """What the connections share."""

    def __init__(self, order: Order, loop: asyncio.AbstractEventLoop) -> None:
        host = f"127.0.0.1:{order.port}"
        bodies = Path(order.bodies_file).read_bytes().splitlines()
        self.loop = loop
        self.done = loop.create_future()
        self.requests = [post_request(host, order.path, body) for body in bodies]
        self._order = order
        self._open_jobs = order.jobs
        self._end_at = 0.0
        self._under_way = 0
        self._taken = 0
        self._statuses: Counter[int] = Counter()
        self._latencies_seconds: list[float] = []
        self._answers: list[tuple[int, bytes]] = []
        self._keep_every = max(1, order.jobs // order.kept) if order.jobs and order.kept else 0

    def run(self, connections: Sequence["_Connection"]) -> Report:
        cpu_before = time.process_time()
        began_at = time.monotonic()
        self._end_at = began_at + (self._order.seconds or 0.0)
        for connection in connections:
            connection.send_next()
        self.loop.run_until_complete(self.done)
        ended_at = time.monotonic()
        cpu_seconds = time.process_time() - cpu_before
        ranked = sorted(self._latencies_seconds)
        return Report(
            began_at=began_at,
            ended_at=ended_at,
            accepted=len(ranked),
            statuses={str(status): count for status, count in self._statuses.items()},
            latencies_seconds=(at(ranked, 0.5), at(ranked, 0.9), at(ranked, 0.99), at(ranked, 1.0)),
            cpu_seconds=cpu_seconds,
            kept=[KeptAnswer(number, msgspec.json.decode(body)["id"]) for number, body in self._answers],
        )

    def take(self) -> int | None:
        """The number of the request to send next; None if there is nothing to do."""
        if self._open_jobs is None:
            if time.monotonic() >= self._end_at:
                return None
        elif self._open_jobs == 0:
            return None
        else:
            self._open_jobs -= 1
        self._under_way += 1
        self._taken += 1
        return self._taken % len(self.requests)

    def note(self, number: int, latency_seconds: float, status: int, body: bytes) -> bool:
        """Count an answer; whether the job was accepted."""
        self._under_way -= 1
        self._statuses[status] += 1
        if status != _ACCEPTED:
            if self._open_jobs is not None:
                self._open_jobs += 1
            return False
        if self._keep_every and len(self._latencies_seconds) % self._keep_every == 0:
            self._answers.append((number, body))
        self._latencies_seconds.append(latency_seconds)
        return True

    def rest(self) -> None:
        """A connection found nothing to do: the last one ends the run."""
        if self._under_way == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed a connection"))


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._number = 0
        self._sent_at = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        number = self._load.take()
        if number is None:
            self._load.rest()
            return
        self._number = number
        self._received = b""
        self._sent_at = time.monotonic()
        self._transport.write(self._load.requests[number])

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = split_answer(self._received)
        if answer is None:
            return
        if self._load.note(self._number, time.monotonic() - self._sent_at, *answer):
            self.send_next()
        else:
            self._load.loop.call_later(_REFUSED_PAUSE_SECONDS, self.send_next)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.fail(exc)


def at(ranked: Sequence[float], share: float) -> float:
    """The value that this share of sorted values does not exceed; 0.0 of none."""
    return ranked[max(0, min(len(ranked) - 1, int(share * len(ranked))))] if ranked else 0.0


def main() -> None:
    """Connect, say so, wait for the word, send, report: lines on the standard input and output."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    loop = uvloop.new_event_loop()
    load = _Load(order, loop)
    connections = [_Connection(load) for _ in range(order.connections)]
    for connection in connections:
        loop.run_until_complete(loop.create_connection(lambda made=connection: made, "127.0.0.1", order.port))  # type: ignore[misc]
    print("ready", flush=True)
    if sys.stdin.readline():
        print(msgspec.json.encode(load.run(connections)).decode(), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
