"""Tasks: the functions that do jobs, the table of those that are known, and what a task may ask for while it runs."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from mlp.clock import monotonic
from mlp.errors import MalformedBody
from mlp.jobs.job import Claim, Progress


class StopReason(StrEnum):
    """Why an attempt should end before its work is done."""

    CANCELLED = "cancelled"
    LEASE_LOST = "lease_lost"
    TIMED_OUT = "timed_out"


class JobStopped(BaseException):
    """Ends an attempt from inside check_cancelled(); no Exception, so that own code does not swallow it by accident."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class JobContext:
    """What a task knows about the attempt it makes; one per attempt, safe for use by several threads.

    Attributes:
        stack: Everything this process holds open, mlp.stack.Stack; Any, since jobs know no stack.
        job_id: The job's id, the same in every attempt: what a task makes under it is made once.
        model: The model that the job was filed under.
        attempt: 1 for the first one.
    """

    def __init__(self, stack: Any, claim: Claim) -> None:
        self.stack = stack
        self.job_id = claim.id
        self.model = claim.model
        self.attempt = claim.attempt
        self.claim = claim
        self._lock = threading.Lock()
        self._stop_reason: StopReason | None = None
        self._progress: Progress | None = None
        self._is_progress_new = False
        self._began_at = monotonic()
        #: The thread that makes the attempt.
        self.thread = threading.current_thread()

    @property
    def overdue_seconds(self) -> float:
        """For how long the attempt has been beyond its time; negative while it is not."""
        return self.running_seconds - self.claim.seconds_max

    @property
    def running_seconds(self) -> float:
        """How long the attempt has run."""
        return monotonic() - self._began_at

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Report progress; costs next to nothing, since another thread writes the newest report about once a second."""
        with self._lock:
            self._progress = Progress(done, total, message)
            self._is_progress_new = True

    def is_cancelled(self) -> bool:
        """Whether the work should stop: its owner asked for it, its time is over, or another worker has taken it."""
        return self._stop_reason is not None

    def check_cancelled(self) -> None:
        """Return if the work should go on; a long task calls it between its steps.

        Raises:
            JobStopped: It should stop; let it pass.
        """
        if self._stop_reason is not None:
            raise JobStopped(self._stop_reason)

    def stop(self, reason: StopReason) -> None:
        """Make is_cancelled() true; the first reason stays."""
        with self._lock:
            if self._stop_reason is None:
                self._stop_reason = reason

    def latest_progress(self) -> Progress | None:
        """What was reported last."""
        return self._progress

    def take_new_progress(self) -> Progress | None:
        """What was reported last, unless it was taken before."""
        with self._lock:
            if not self._is_progress_new:
                return None
            self._is_progress_new = False
            return self._progress


TaskFunction = Callable[[JobContext, Any], Any]
#: Does several jobs at once: a result, or the error, for each.
TogetherFunction = Callable[[Sequence[JobContext], Sequence[Any]], Sequence[Any]]
_Function = TypeVar("_Function", bound=TaskFunction)


@dataclass(frozen=True, slots=True)
class Task:
    """A function that does jobs of one kind.

    Attributes:
        payload_type: What the payload's JSON is decoded into: dict, a msgspec.Struct, or msgspec.Raw (as it is).
        together: Does jobs of one model at once, better than one after the other; None: it does not.
        seconds_max: How long an attempt may take; None: the setting ``job_seconds_max``.
    """

    kind: str
    function: TaskFunction
    payload_type: Any
    together: TogetherFunction | None = None
    seconds_max: float | None = None

    @property
    def runs_together(self) -> bool:
        """Whether several jobs are better done at once."""
        return self.together is not None

    def run(self, context: JobContext, payload: bytes) -> bytes:
        """The function's result as JSON; msgspec.Raw in a result is taken as JSON already.

        Raises:
            MalformedBody: The payload is not what this release of the task takes.
        """
        return msgspec.json.encode(self.function(context, self._decode(payload)))

    def run_together(self, contexts: Sequence[JobContext]) -> list[bytes | Exception]:
        """For each attempt the function's result as JSON, or why it has none; of attempts at jobs of one model."""
        assert self.together is not None
        decoded: dict[int, Any] = {}
        results: list[Any] = []
        for number, context in enumerate(contexts):
            try:
                decoded[number] = self._decode(context.claim.payload)
            except MalformedBody as error:
                results.append(error)
            else:
                results.append(None)
        made = self.together([contexts[number] for number in decoded], list(decoded.values()))
        for number, result in zip(decoded, made, strict=True):
            results[number] = result if isinstance(result, Exception) else msgspec.json.encode(result)
        return results

    def _decode(self, payload: bytes) -> Any:
        try:
            return msgspec.json.decode(payload, type=self.payload_type)
        except msgspec.MsgspecError as error:
            raise MalformedBody(f"the payload does not fit the task {self.kind}: {error}") from error


class TaskTable:
    """The tasks that a process can do, by kind."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    def task(
        self,
        kind: str,
        *,
        payload_type: Any = dict[str, Any],
        together: TogetherFunction | None = None,
        seconds_max: float | None = None,
    ) -> Callable[[_Function], _Function]:
        """A decorator that enters a function ``(context, payload) -> result`` under a kind, ``<domain>.<verb>``.

        A task may be begun more than once (a worker that dies, an attempt that is repeated): it must come to the same
        end when it runs again under the same job id. What it returns is JSON to be.
        """

        def enter(function: _Function) -> _Function:
            assert kind not in self._tasks, f"two tasks are named {kind}"
            self._tasks[kind] = Task(kind, function, payload_type, together, seconds_max)
            return function

        return enter

    def get(self, kind: str) -> Task:
        """The task of a kind that is in the table."""
        return self._tasks[kind]

    @property
    def kinds(self) -> list[str]:
        """What this process can do; it claims no other jobs, which wait for a process that knows them."""
        return list(self._tasks)


#: The tasks of this release: each domain's tasks.py enters its own.
TASKS = TaskTable()
task = TASKS.task
