"""The batcher: everybody gets their own rows, nobody waits for company, one bad request fails alone."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp.errors import DeadlineExceeded, ModelFailed, ModelNotReady, RecordingUnavailable, TooManyRequests
from mlp.inference.batching import Batcher, Part, answer_of
from mlp.signature import Batch, DType, Field, Outputs, Signature, Task
from mlp.signature.batch import from_rows

SIGNATURE = Signature(Task.REGRESSION, (Field("x", DType.FLOAT64), Field("y", DType.FLOAT64)))
Story = Callable[["Model"], Coroutine[Any, Any, None]]


class Model:
    """Adds its columns; remembers the sizes of its calls; waits at a gate where a test closes it."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.recorded: list[list[bytes]] = []

    def predict(self, batch: Batch) -> Outputs:
        assert self.gate.wait(10)
        self.calls.append(batch.rows)
        assert batch.matrix is not None
        if np.any(batch.matrix[:, 0] == 666):
            raise ValueError("no such number")
        return {"value": batch.matrix.sum(axis=1)}

    def record(self, frames: Sequence[bytes], _is_durable: bool) -> None:
        self.recorded.append(list(frames))


def batcher(model: Model, *, rows_max: int = 256, queue_rows_max: int = 10_000) -> Batcher:
    return Batcher("m/1", SIGNATURE, model.predict, model.record, rows_max=rows_max, queue_rows_max=queue_rows_max)


def tell(story: Story) -> Model:
    model = Model()
    asyncio.run(story(model))
    return model


async def value_of(part: Part) -> list[float]:
    return list((await answer_of(part, 10))["value"])


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.001)


def test_batcher_single_request_is_answered_alone() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        assert await value_of(queue.submit(rows=[(1.0, 2.0)])) == [3.0]
        await queue.close(5)

    assert tell(story).calls == [1]


def test_batcher_requests_of_one_turn_go_together() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        parts = [queue.submit(rows=[(float(number), 0.0)]) for number in range(20)]
        assert [await value_of(part) for part in parts] == [[float(number)] for number in range(20)]
        await queue.close(5)

    assert tell(story).calls == [20]


def test_batcher_what_arrives_while_busy_goes_together_next() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        model.gate.clear()
        first = queue.submit(rows=[(1.0, 0.0)])
        await until(lambda: queue.waiting_rows == 0)
        others = [queue.submit(rows=[(2.0, 0.0), (3.0, 0.0)]) for _number in range(3)]
        model.gate.set()
        assert await value_of(first) == [1.0]
        assert [await value_of(part) for part in others] == [[2.0, 3.0]] * 3
        await queue.close(5)

    assert tell(story).calls == [1, 6]


def test_batcher_limit_of_rows_splits_the_queue_and_a_large_request_goes_alone() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model, rows_max=4)
        parts = [queue.submit(rows=[(1.0, 0.0)] * size) for size in (2, 2, 1, 9, 1)]
        assert [len(await value_of(part)) for part in parts] == [2, 2, 1, 9, 1]
        await queue.close(5)

    assert tell(story).calls == [4, 1, 9, 1]


def test_batcher_one_failing_request_fails_alone() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        good, bad, other = (queue.submit(rows=[(number, 0.0)]) for number in (1.0, 666.0, 2.0))
        assert await value_of(good) == [1.0]
        assert await value_of(other) == [2.0]
        with pytest.raises(ModelFailed, match="m/1 failed: ValueError: no such number"):
            await value_of(bad)
        await queue.close(5)

    assert tell(story).calls == [3, 1, 1, 1]


def test_batcher_model_that_exits_fails_the_request_and_the_next_is_served() -> None:
    async def story(model: Model) -> None:
        def leave(_batch: Batch) -> Outputs:
            raise SystemExit(3)

        queue = Batcher("m/1", SIGNATURE, leave, model.record, rows_max=8, queue_rows_max=8)
        with pytest.raises(ModelFailed, match="SystemExit: 3"):
            await value_of(queue.submit(rows=[(1.0, 2.0)]))
        await queue.close(5)

    tell(story)


def test_batcher_wrong_number_of_rows_is_the_models_failure() -> None:
    async def story(model: Model) -> None:
        queue = Batcher(
            "m/1", SIGNATURE, lambda _batch: {"value": np.zeros(5)}, model.record, rows_max=8, queue_rows_max=8
        )
        with pytest.raises(ModelFailed, match="answered 5 rows of 'value' for 1 rows"):
            await value_of(queue.submit(rows=[(1.0, 2.0)]))
        await queue.close(5)

    tell(story)


def test_batcher_full_queue_refuses_and_serves_what_it_took() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model, queue_rows_max=3)
        taken = [queue.submit(rows=[(1.0, 0.0)]) for _number in range(3)]
        with pytest.raises(TooManyRequests):
            queue.submit(rows=[(1.0, 0.0)])
        assert [await value_of(part) for part in taken] == [[1.0]] * 3
        await queue.close(5)

    tell(story)


def test_batcher_request_that_nobody_awaits_is_dropped_from_the_queue() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        model.gate.clear()
        first = queue.submit(rows=[(1.0, 0.0)])
        await until(lambda: queue.waiting_rows == 0)
        late = queue.submit(rows=[(2.0, 0.0)])
        with pytest.raises(DeadlineExceeded):
            await answer_of(late, 0.01)
        model.gate.set()
        assert await value_of(first) == [1.0]
        await queue.close(5)

    assert tell(story).calls == [1]


def test_batcher_frames_of_a_batch_are_written_once_before_the_answers() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        parts = [
            queue.submit(rows=[(number, 0.0)], on_answer=lambda outputs: str(outputs["value"][0]).encode())
            for number in (1.0, 2.0)
        ]
        await asyncio.gather(*(value_of(part) for part in parts))
        await queue.close(5)

    assert tell(story).recorded == [[b"1.0", b"2.0"]]


def test_batcher_durable_request_fails_when_its_frame_cannot_be_written() -> None:
    async def story(model: Model) -> None:
        def refuse(_frames: Sequence[bytes], _is_durable: bool) -> None:
            raise RecordingUnavailable("no room")

        queue = Batcher("m/1", SIGNATURE, model.predict, refuse, rows_max=8, queue_rows_max=8)
        with pytest.raises(RecordingUnavailable, match="no room"):
            await value_of(queue.submit(rows=[(1.0, 0.0)], on_answer=lambda _outputs: b"frame", is_durable=True))
        await queue.close(5)

    tell(story)


def test_batcher_frame_that_cannot_be_made_fails_its_request_only() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        bad = queue.submit(rows=[(1.0, 0.0)], on_answer=lambda outputs: bytes(outputs["label"]))
        good = queue.submit(rows=[(2.0, 0.0)])
        with pytest.raises(ModelFailed, match="KeyError"):
            await value_of(bad)
        assert await value_of(good) == [2.0]
        assert await value_of(queue.submit(rows=[(3.0, 0.0)])) == [3.0]
        await queue.close(5)

    tell(story)


def test_batcher_closed_refuses_new_requests() -> None:
    async def story(model: Model) -> None:
        queue = batcher(model)
        await queue.close(5)
        with pytest.raises(ModelNotReady):
            queue.submit(rows=[(1.0, 0.0)])

    tell(story)


def test_batcher_quick_model_moves_onto_the_loop_and_back_when_it_turns_slow() -> None:
    threads: list[str] = []
    delay_seconds = 0.0

    def predict(batch: Batch) -> Outputs:
        threads.append(threading.current_thread().name)
        time.sleep(delay_seconds)
        return {"value": np.zeros(batch.rows)}

    async def story(model: Model) -> None:
        nonlocal delay_seconds
        queue = Batcher("m/1", SIGNATURE, predict, model.record, rows_max=8, queue_rows_max=8)
        for _number in range(400):
            await value_of(queue.submit(rows=[(1.0, 0.0)]))
        was_on_loop = threads[-1] == threading.main_thread().name
        delay_seconds = 0.02
        for _number in range(3):
            await value_of(queue.submit(rows=[(1.0, 0.0)]))
        assert threads[0].startswith("model-")
        assert was_on_loop
        assert threads[-1].startswith("model-")
        await queue.close(5)

    tell(story)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=12), rows_max=st.integers(1, 9), as_arrays=st.booleans())
def test_batcher_whatever_arrives_together_everybody_gets_exactly_their_own_rows(
    sizes: list[int], rows_max: int, as_arrays: bool
) -> None:
    async def story(model: Model) -> None:
        queue = batcher(model, rows_max=rows_max)
        parts = []
        for owner, size in enumerate(sizes):
            rows = [(float(owner * 100), float(row)) for row in range(size)]
            if as_arrays and owner % 2:
                parts.append(queue.submit(arrays=from_rows(SIGNATURE, rows)))
            else:
                parts.append(queue.submit(rows=rows))
        answers = await asyncio.gather(*(value_of(part) for part in parts))
        assert answers == [[owner * 100.0 + row for row in range(size)] for owner, size in enumerate(sizes)]
        await queue.close(5)

    tell(story)
