"""Gathers concurrent requests of one version into one call of its model, without making anybody wait for company.

Work-conserving, as Triton's dynamic batcher without a delay is: an idle model takes what is there at once; what
arrives while it is busy goes together in the next call. Lives on one event loop; calls that have shown themselves
to be quick run on the loop itself, which spares two thread switches, all others in the version's own thread.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mlp.errors import (
    DeadlineExceeded,
    MLPError,
    ModelFailed,
    ModelNotReady,
    RecordingUnavailable,
    TooManyRequests,
)
from mlp.inference import metrics
from mlp.signature import Batch, Outputs, Signature
from mlp.signature.batch import RowValues, cut, from_rows, join

_log = logging.getLogger(__name__)

#: Calls whose 99th percentile is under this run on the event loop: no more than one slow parse of a body.
ON_LOOP_SECONDS = 0.001
#: A single call above this sends the version back to its thread at once.
_TOO_SLOW_SECONDS = 0.005
_CALLS_REMEMBERED = 128
_CALLS_BEFORE_TRUST = 32


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that a request waited for its call, and that the call took."""

    queue_seconds: float
    model_seconds: float


class Part:
    """One request's share of a batch: its rows, or its arrays, and the future of its answer."""

    __slots__ = ("arrays", "arrived", "batch_rows", "future", "is_durable", "on_answer", "rows", "timing")

    def __init__(
        self,
        *,
        rows: Sequence[RowValues] | None,
        arrays: Batch | None,
        future: "asyncio.Future[Outputs]",
        on_answer: "Callable[[Outputs], bytes] | None",
        is_durable: bool,
    ) -> None:
        self.rows = rows
        self.arrays = arrays
        self.batch_rows = len(rows) if rows is not None else arrays.rows if arrays is not None else 0
        self.future = future
        self.on_answer = on_answer
        self.is_durable = is_durable
        self.arrived = time.perf_counter()
        self.timing = Timing(0.0, 0.0)


class _Pace:
    """How long calls take, by batch size in powers of two; decides where the next call of that size runs."""

    def __init__(self) -> None:
        self._seconds: dict[int, deque[float]] = {}
        self._is_quick: dict[int, bool] = {}

    def is_quick(self, rows: int) -> bool:
        return self._is_quick.get(rows.bit_length(), False)

    def learn(self, rows: int, seconds: float) -> None:
        size = rows.bit_length()
        known = self._seconds.setdefault(size, deque(maxlen=_CALLS_REMEMBERED))
        known.append(seconds)
        if seconds > _TOO_SLOW_SECONDS:
            self._is_quick[size] = False
            known.clear()
        elif len(known) in (_CALLS_BEFORE_TRUST, _CALLS_REMEMBERED):
            p99 = sorted(known)[int(0.99 * (len(known) - 1))]
            self._is_quick[size] = p99 < ON_LOOP_SECONDS
            if len(known) == _CALLS_REMEMBERED:
                known.clear()


class Batcher:
    """The queue in front of one loaded version. Made in any thread; all methods are called on the event loop.

    Args:
        predict: The model's call; one at a time.
        record: Writes the frames of one batch before its answers leave; the flag asks for durability, and only
            then it may raise RecordingUnavailable.
        rows_max: Rows of one call; a request with more goes alone.
        queue_rows_max: Rows waiting before TooManyRequests is raised.
    """

    def __init__(
        self,
        name: str,
        signature: Signature,
        predict: Callable[[Batch], Outputs],
        record: Callable[[Sequence[bytes], bool], None],
        *,
        rows_max: int,
        queue_rows_max: int,
    ) -> None:
        self._name = name
        self._signature = signature
        self._predict = predict
        self._record = record
        self._rows_max = rows_max
        self._queue_rows_max = queue_rows_max
        self._waiting: deque[Part] = deque()
        self._waiting_rows = 0
        self._is_busy = False
        self._is_closed = False
        self._pace = _Pace()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"model-{name}")
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting_rows(self) -> int:
        """Rows that no call has taken yet."""
        return self._waiting_rows

    def submit(
        self,
        *,
        rows: Sequence[RowValues] | None = None,
        arrays: Batch | None = None,
        on_answer: Callable[[Outputs], bytes] | None = None,
        is_durable: bool = False,
    ) -> Part:
        """Queue one request; await the ``future`` of the returned part for its outputs.

        Args:
            on_answer: Makes the frame to record from the outputs; called on the loop before the answer is given
                out. All frames of one batch are written together.
            is_durable: The answer may only leave when its frame is on disk.

        Raises:
            TooManyRequests: The queue is full.
            ModelNotReady: The version is being put away.
        """
        if self._is_closed:
            raise ModelNotReady(f"{self._name} is being replaced: try again")
        future: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
        part = Part(rows=rows, arrays=arrays, future=future, on_answer=on_answer, is_durable=is_durable)
        if self._waiting and self._waiting_rows + part.batch_rows > self._queue_rows_max:
            raise TooManyRequests(
                f"{self._waiting_rows} rows wait for {self._name}, its limit is {self._queue_rows_max}: slow down"
            )
        self._waiting.append(part)
        self._waiting_rows += part.batch_rows
        if not self._is_busy:
            # Not run here and now: whoever else was read from the network in this turn of the loop joins in.
            self._is_busy = True
            self._idle.clear()
            asyncio.get_running_loop().call_soon(self._run_next)
        return part

    async def close(self, timeout_seconds: float) -> None:
        """Answer what waits, then end the thread; further requests are refused."""
        self._is_closed = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_seconds)
        except TimeoutError:
            _log.warning("a call of the model did not end in time", extra={"version": self._name})
        for part in self._waiting:
            _fail(part, ModelNotReady(f"{self._name} was put away before it could answer"))
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run_next(self) -> None:
        parts = self._take()
        if not parts:
            self._is_busy = False
            self._idle.set()
            return
        rows = sum(part.batch_rows for part in parts)
        if self._pace.is_quick(rows):
            self._finish(parts, self._call(parts))
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._run_next)
            else:
                self._is_busy = False
                self._idle.set()
            return
        call = asyncio.get_running_loop().run_in_executor(self._thread, self._call, parts)
        call.add_done_callback(lambda done: self._finish_and_go_on(parts, done))

    def _finish_and_go_on(self, parts: list[Part], done: "asyncio.Future[list[Outputs | MLPError]]") -> None:
        if done.cancelled():
            answers: list[Outputs | MLPError] = [ModelNotReady(f"{self._name} was put away")] * len(parts)
        else:
            answers = done.result()
        self._finish(parts, answers)
        self._run_next()

    def _take(self) -> list[Part]:
        """The parts of the next call: in order of arrival, up to the limit of rows, without those nobody awaits."""
        parts: list[Part] = []
        rows = 0
        while self._waiting:
            part = self._waiting[0]
            if parts and rows + part.batch_rows > self._rows_max:
                break
            self._waiting.popleft()
            self._waiting_rows -= part.batch_rows
            if part.future.done():
                continue
            parts.append(part)
            rows += part.batch_rows
        return parts

    def _call(self, parts: Sequence[Part]) -> list[Outputs | MLPError]:
        """The outputs of each part, or the error of each; in the version's thread, or on the loop."""
        started = time.perf_counter()
        try:
            batch = self._assemble(parts)
            outputs = self._checked(self._predict(batch), batch.rows)
            answers: list[Outputs | MLPError] = [*cut(outputs, [part.batch_rows for part in parts])]
        # BaseException, since a model's code that calls exit() must not end the server.
        except BaseException as error:
            if len(parts) > 1:
                # One bad request must not fail its neighbours: each is asked again alone.
                return [answer for part in parts for answer in self._call([part])]
            answers = [_as_model_error(self._name, error)]
        seconds = time.perf_counter() - started
        timings = [Timing(started - part.arrived, seconds) for part in parts]
        for part, timing in zip(parts, timings, strict=True):
            part.timing = timing
        self._pace.learn(sum(part.batch_rows for part in parts), seconds)
        metrics.observe_call(self._name, sum(part.batch_rows for part in parts), seconds)
        return answers

    def _assemble(self, parts: Sequence[Part]) -> Batch:
        if all(part.rows is not None for part in parts):
            return from_rows(self._signature, [row for part in parts if part.rows is not None for row in part.rows])
        return join(
            [part.arrays if part.arrays is not None else from_rows(self._signature, part.rows or ()) for part in parts]
        )

    def _checked(self, outputs: Outputs, rows: int) -> Outputs:
        for name, array in outputs.items():
            if len(array) != rows:
                raise ModelFailed(f"{self._name} answered {len(array)} rows of '{name}' for {rows} rows of input")
        return outputs

    def _finish(self, parts: Sequence[Part], answers: Sequence[Outputs | MLPError]) -> None:
        """Record what was answered, then let the answers leave."""
        settled = list(answers)
        frames: list[bytes] = []
        for index, part in enumerate(parts):
            answer = answers[index]
            if part.on_answer is None or part.future.done() or isinstance(answer, MLPError):
                continue
            try:
                frames.append(part.on_answer(answer))
            except Exception as error:  # outputs of a form that the signature does not promise
                settled[index] = _as_model_error(self._name, error)
        if not frames:
            _settle(parts, settled)
        elif any(part.is_durable for part in parts):
            # An fsync takes milliseconds: it must not hold the loop.
            written = asyncio.get_running_loop().run_in_executor(self._thread, self._record, frames, True)
            written.add_done_callback(lambda done: _settle(parts, _unless_refused(settled, done)))
        else:
            self._record(frames, False)
            _settle(parts, settled)


def _unless_refused(
    answers: Sequence[Outputs | MLPError], written: "asyncio.Future[None]"
) -> Sequence[Outputs | MLPError]:
    if written.cancelled():
        return [RecordingUnavailable("the server is stopping: try again")] * len(answers)
    error = written.exception()
    return answers if error is None else [_recording_error(error)] * len(answers)


def _recording_error(error: BaseException) -> MLPError:
    return error if isinstance(error, MLPError) else RecordingUnavailable(f"the answer was not recorded: {error}")


def _settle(parts: Sequence[Part], answers: Sequence[Outputs | MLPError]) -> None:
    for part, answer in zip(parts, answers, strict=True):
        if isinstance(answer, MLPError):
            _fail(part, answer)
        elif not part.future.done():
            part.future.set_result(answer)


def _fail(part: Part, error: MLPError) -> None:
    if not part.future.done():
        part.future.set_exception(error)


def _as_model_error(name: str, error: BaseException) -> MLPError:
    if isinstance(error, MLPError):
        return error
    _log.error("a model's code failed", exc_info=error, extra={"version": name})
    return ModelFailed(f"{name} failed: {type(error).__name__}: {error}")


async def answer_of(part: Part, timeout_seconds: float) -> Outputs:
    """The part's outputs, awaited for at most so long.

    Raises:
        DeadlineExceeded: Not answered in time; if no call has taken it yet, none will.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await part.future
    except TimeoutError:
        raise DeadlineExceeded(f"no answer within {timeout_seconds:g} s", retry_after_seconds=1) from None
