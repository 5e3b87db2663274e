from typing import Any

import pytest

from mlp.jobs.job import JobError
from mlp.jobs.keeper import Keeper
from mlp.jobs.runner import Runner
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.task import JobContext, StopReason, TaskTable


@pytest.fixture
def tasks() -> TaskTable:
    tasks = TaskTable()

    @tasks.task("test.echo")
    def echo(context: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        return {"stack": context.stack, **payload}

    @tasks.task("test.exit")
    def leave(_context: JobContext, _payload: dict[str, Any]) -> None:
        raise SystemExit(3)

    @tasks.task("test.lose")
    def lose(context: JobContext, _payload: dict[str, Any]) -> None:
        context.stop(StopReason.LEASE_LOST)
        context.check_cancelled()

    @tasks.task("test.odd")
    def return_odd(_context: JobContext, _payload: dict[str, Any]) -> object:
        return object()

    return tasks


@pytest.fixture
def runner(jobs: JobService, tasks: TaskTable) -> Runner:
    return Runner("the stack", jobs.leases, Keeper(jobs.leases, lambda _overdue: None), tasks)


def test_run_next_runs_a_queued_job_to_its_end(jobs: JobService, runner: Runner) -> None:
    job = jobs.submit("test.echo", "churn", b'{"a":1}')

    was_run = runner.run_next()

    assert was_run
    assert jobs.get(job.id).result == b'{"stack":"the stack","a":1}'
    assert jobs.leases.held() == []


def test_run_next_finds_nothing_to_do_twice(jobs: JobService, runner: Runner) -> None:
    jobs.submit("test.echo", "churn", b"{}")
    runner.run_next()

    assert not runner.run_next()


@pytest.mark.parametrize(
    ("kind", "detail"), [("test.exit", "SystemExit: 3"), ("test.odd", "TypeError: Encoding objects of type object")]
)
def test_run_survives_what_a_task_does(jobs: JobService, runner: Runner, kind: str, detail: str) -> None:
    job = jobs.submit(kind, None, b"{}", attempts_max=1)

    runner.run_next()

    failed = jobs.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert failed.error.code == "internal"
    assert failed.error.detail.startswith(detail)


def test_run_of_a_failed_attempt_queues_the_job_with_its_error(jobs: JobService, runner: Runner) -> None:
    job = jobs.submit("test.exit", None, b"{}")

    runner.run_next()

    waiting = jobs.get(job.id)
    assert (waiting.state, waiting.attempt, waiting.error) == (
        JobState.QUEUED,
        1,
        JobError("internal", "SystemExit: 3"),
    )


def test_run_that_lost_its_lease_writes_nothing(jobs: JobService, runner: Runner) -> None:
    job = jobs.submit("test.lose", None, b"{}")

    runner.run_next()

    assert jobs.get(job.id).state is JobState.RUNNING
    assert jobs.leases.held() == []
