from typing import Any

import msgspec
import pytest

from mlp.clock import now
from mlp.errors import MalformedBody
from mlp.jobs.job import Claim, Job, Progress
from mlp.jobs.states import JobState
from mlp.jobs.task import JobContext, JobStopped, StopReason, Task, TaskTable

JOB = Job("job", "test.echo", "churn", "default", 0, JobState.RUNNING, 2, 3, False, now())
CLAIM = Claim("job", "test.echo", "churn", b"{}", 2, 3, "token", 0.0, 60.0, JOB)


class Payload(msgspec.Struct):
    rows: list[int]


@pytest.fixture
def context() -> JobContext:
    return JobContext("the stack", CLAIM)


def test_table_finds_a_task_by_kind() -> None:
    tasks = TaskTable()

    @tasks.task("test.echo")
    def echo(_context: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    assert tasks.kinds == ["test.echo"]
    assert tasks.get("test.echo") == Task("test.echo", echo, dict[str, Any])


def test_table_takes_a_kind_once() -> None:
    tasks = TaskTable()
    tasks.task("test.echo")(lambda _context, payload: payload)

    with pytest.raises(AssertionError, match=r"two tasks are named test\.echo"):
        tasks.task("test.echo")(lambda _context, payload: payload)


@pytest.mark.parametrize(
    ("payload_type", "seen"),
    [(dict[str, Any], {"rows": [1]}), (Payload, Payload([1])), (msgspec.Raw, msgspec.Raw(b'{"rows":[1]}'))],
)
def test_run_gives_the_payload_as_its_type(context: JobContext, payload_type: Any, seen: object) -> None:
    received = []

    result = Task("k", lambda _context, payload: received.append(payload), payload_type).run(context, b'{"rows":[1]}')

    assert received == [seen]
    assert result == b"null"


def test_run_of_an_unfitting_payload_is_refused(context: JobContext) -> None:
    task = Task("test.echo", lambda _context, payload: payload, Payload)

    with pytest.raises(MalformedBody, match=r"does not fit the task test\.echo: Expected `array`"):
        task.run(context, b'{"rows":"x"}')


def test_run_splices_raw_json_into_the_result(context: JobContext) -> None:
    task = Task("k", lambda _context, _payload: {"answer": msgspec.Raw(b"[1, 2]")}, dict[str, Any])

    assert task.run(context, b"{}") == b'{"answer":[1, 2]}'


def test_context_says_what_it_works_on(context: JobContext) -> None:
    assert (context.stack, context.job_id, context.model, context.attempt) == ("the stack", "job", "churn", 2)


def test_context_goes_on_until_it_is_stopped(context: JobContext) -> None:
    context.check_cancelled()
    before = context.is_cancelled()

    context.stop(StopReason.LEASE_LOST)
    context.stop(StopReason.CANCELLED)

    assert not before
    assert context.is_cancelled()
    with pytest.raises(JobStopped) as stopped:
        context.check_cancelled()
    assert stopped.value.reason is StopReason.LEASE_LOST


def test_progress_is_new_once(context: JobContext) -> None:
    before = context.take_new_progress()

    context.progress(1, 2, "half")
    context.progress(2, 2, "done")

    assert before is None
    assert context.take_new_progress() == Progress(2, 2, "done")
    assert context.take_new_progress() is None
    assert context.latest_progress() == Progress(2, 2, "done")
