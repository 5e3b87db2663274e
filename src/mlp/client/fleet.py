"""The client's view of who works: workers and draining them, queues and pausing them."""

from dataclasses import dataclass

from mlp.client.exchange import Exchange, path_of
from mlp.client.results import AwareTime


@dataclass(frozen=True, slots=True)
class Worker:
    """A process, or a container, that runs jobs, as it reported itself.

    Attributes:
        queues: What it takes, the most urgent first.
        processes: Jobs that it runs at the same time.
        state: running, draining or stopped, as it says itself.
        age_seconds: Since it was heard of.
        is_live: It was heard of within 15 s, and not to say that it has ended.
        is_draining: An operator wants it to take no more jobs.
    """

    id: str
    host: str
    pid: int
    release: str
    queues: list[str]
    processes: int
    state: str
    started_at: AwareTime
    age_seconds: float
    is_live: bool
    is_draining: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that workers take jobs from.

    Attributes:
        oldest_seconds: How long the oldest job has been free to run; None if none is.
        unpublished: Jobs free to run whose wake-up the broker has not confirmed.
        unpublished_seconds: How long the oldest of these has been free to run.
        workers: Workers that take new jobs from it.
        is_known: Settings name it; if not, it is left over.
        reason: Why it is paused; None if it is not.
    """

    name: str
    queued: int
    running: int
    oldest_seconds: float | None
    unpublished: int
    unpublished_seconds: float | None
    workers: int
    is_known: bool
    is_paused: bool
    reason: str | None
    paused_at: AwareTime | None


@dataclass(frozen=True, slots=True)
class _WorkerList:
    workers: list[Worker]


@dataclass(frozen=True, slots=True)
class _QueueList:
    queues: list[Queue]


class WorkersClient:
    """Workers of one server; ``client.workers``."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def list(self) -> "list[Worker]":
        """All workers that are remembered, the newest first; none in laptop mode."""
        return self._exchange.call(_WorkerList, "GET", "/v1/workers").workers

    def drain(self, worker_id: str) -> Worker:
        """The worker, which ends the jobs it has and takes no more.

        Raises:
            mlp.errors.UnknownWorker: There is none of that id.
        """
        return self._exchange.call(Worker, "POST", path_of("v1", "workers", worker_id, "drain"))

    def undrain(self, worker_id: str) -> Worker:
        """The worker, which takes jobs again.

        Raises:
            mlp.errors.UnknownWorker: There is none of that id.
        """
        return self._exchange.call(Worker, "POST", path_of("v1", "workers", worker_id, "undrain"))


class QueuesClient:
    """Queues of one server; ``client.queues``."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def list(self) -> "list[Queue]":
        """All queues, the most urgent first."""
        return self._exchange.call(_QueueList, "GET", "/v1/queues").queues

    def pause(self, name: str, reason: str = "") -> Queue:
        """The queue, which accepts jobs and starts none until it is resumed.

        Args:
            name: Such as ``mlp.default``; ``default`` will do.
            reason: For whoever finds it paused.

        Raises:
            mlp.errors.UnknownQueue: There is none of that name.
        """
        return self._exchange.call(Queue, "POST", path_of("v1", "queues", name, "pause"), json={"reason": reason})

    def resume(self, name: str) -> Queue:
        """The queue, which starts its jobs again.

        Raises:
            mlp.errors.UnknownQueue: There is none of that name.
        """
        return self._exchange.call(Queue, "POST", path_of("v1", "queues", name, "resume"))
