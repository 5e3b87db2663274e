"""Workers and waiters together: from a submitted job to its end, on SQLite and PostgreSQL."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from mlp.errors import DatabaseUnavailable, ModelFailed, ModelNotReady, SignatureMismatch
from mlp.jobs.job import Job, JobError, NewJob, Progress
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.tables import jobs as jobs_table
from mlp.jobs.task import JobContext, TaskTable
from mlp.storage.database import Database
from tests.contract.job_support import DEADLINE_SECONDS, echo_tasks, running, service, submit_echo, until
from tests.postgres import PostgresServer


class Gate:
    """A task that waits at a gate: tests see that it has begun, and let it go on."""

    def __init__(self) -> None:
        self.tasks = echo_tasks()
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.context: JobContext | None = None
        self.tasks.task("test.block")(self._block)

    def _block(self, context: JobContext, _payload: dict[str, Any]) -> str:
        self.context = context
        self.has_begun.set()
        while not self.may_end.wait(0.01):
            context.check_cancelled()
        return "ended"


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with service(database, job_lease_seconds=0.6) as jobs:
        yield jobs


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.may_end.set()


def test_worker_runs_what_is_submitted_and_the_waiter_gets_the_result(jobs: JobService) -> None:
    with running(jobs, echo_tasks()):
        job = submit_echo(jobs)

        ended = jobs.wait(job.id, DEADLINE_SECONDS)

    assert (ended.state, ended.result) == (JobState.SUCCEEDED, b'{"rows":[[1,2]]}')
    assert ended == jobs.get(job.id)


def test_waiter_hears_of_an_end_in_another_process(jobs: JobService, database: Database) -> None:
    jobs.start()
    with service(database) as other:
        job = submit_echo(jobs)

        with running(other, echo_tasks()):
            ended = jobs.wait(job.id, DEADLINE_SECONDS)

    assert ended.state is JobState.SUCCEEDED


def test_wait_returns_the_job_as_it_is_when_time_is_up(jobs: JobService) -> None:
    job = submit_echo(jobs)

    assert jobs.wait(job.id, 0.01).state is JobState.QUEUED


def test_many_jobs_are_each_run_once(jobs: JobService) -> None:
    runs: list[str] = []
    tasks = TaskTable()

    @tasks.task("test.echo")
    def note(context: JobContext, _payload: dict[str, Any]) -> None:
        runs.append(context.job_id)

    with running(jobs, tasks, threads=4):
        submitted = jobs.submit_many([NewJob("test.echo", None, b"{}") for _ in range(60)])
        for job in submitted:
            assert jobs.wait(job.id, DEADLINE_SECONDS).state is JobState.SUCCEEDED

    assert sorted(runs) == sorted(job.id for job in submitted)


def test_bad_input_fails_the_job_at_once(jobs: JobService) -> None:
    tasks = TaskTable()

    @tasks.task("test.echo")
    def refuse(_context: JobContext, _payload: dict[str, Any]) -> None:
        raise SignatureMismatch("input 'age', row 3: expected int64, got \"abc\"")

    with running(jobs, tasks):
        ended = jobs.wait(submit_echo(jobs).id, DEADLINE_SECONDS)

    assert (ended.state, ended.attempt) == (JobState.FAILED, 1)
    assert ended.error == JobError("signature_mismatch", "input 'age', row 3: expected int64, got \"abc\"")


def test_passing_fault_is_tried_again(jobs: JobService) -> None:
    tasks = TaskTable()

    @tasks.task("test.echo")
    def fail_once(context: JobContext, _payload: dict[str, Any]) -> int:
        if context.attempt == 1:
            raise ModelFailed("not this time")
        return context.attempt

    with running(jobs, tasks):
        ended = jobs.wait(submit_echo(jobs).id, DEADLINE_SECONDS)

    assert (ended.state, ended.attempt, ended.result, ended.error) == (JobState.SUCCEEDED, 2, b"2", None)


def test_outage_longer_than_all_attempts_fails_no_job(jobs: JobService) -> None:
    tasks = TaskTable()
    calls: list[int] = []

    @tasks.task("test.echo")
    def need_model(context: JobContext, _payload: dict[str, Any]) -> None:
        calls.append(context.attempt)
        if len(calls) < 5:
            raise ModelNotReady("being loaded")

    with running(jobs, tasks):
        ended = jobs.wait(submit_echo(jobs, attempts_max=2).id, DEADLINE_SECONDS)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert calls == [1, 1, 1, 1, 1]


def test_lasting_fault_fails_the_job_with_the_last_error(jobs: JobService) -> None:
    tasks = TaskTable()

    @tasks.task("test.echo")
    def fail(context: JobContext, _payload: dict[str, Any]) -> None:
        raise RuntimeError(f"attempt {context.attempt}\x00\ud800\nand details")

    with running(jobs, tasks):
        ended = jobs.wait(submit_echo(jobs, attempts_max=2).id, DEADLINE_SECONDS)

    assert (ended.state, ended.attempt) == (JobState.FAILED, 2)
    assert ended.error == JobError("internal", "RuntimeError: attempt 2\N{REPLACEMENT CHARACTER}?")


def test_progress_is_seen_while_the_job_runs(jobs: JobService, gate: Gate) -> None:
    with running(jobs, gate.tasks):
        job = jobs.submit("test.block", None, b"{}")
        assert gate.has_begun.wait(DEADLINE_SECONDS)
        assert gate.context is not None

        gate.context.progress(1, 4, "loading")

        until(lambda: jobs.get(job.id).progress == Progress(1, 4, "loading"))
        gate.may_end.set()
        assert jobs.wait(job.id, DEADLINE_SECONDS).progress == Progress(1, 4, "loading")


def test_lease_is_renewed_while_the_job_runs(jobs: JobService, gate: Gate, database: Database) -> None:
    def lease_until(job: Job) -> datetime:
        with database.reading() as connection:
            found: datetime = connection.execute(
                sa.select(jobs_table.c.lease_until).where(jobs_table.c.id == job.id)
            ).scalar_one()
        return found

    with running(jobs, gate.tasks):
        job = jobs.submit("test.block", None, b"{}")
        assert gate.has_begun.wait(DEADLINE_SECONDS)
        first = lease_until(job)

        until(lambda: lease_until(job) > first + timedelta(seconds=0.6))
        gate.may_end.set()
        ended = jobs.wait(job.id, DEADLINE_SECONDS)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)


def test_cancel_stops_a_running_job(jobs: JobService, gate: Gate) -> None:
    with running(jobs, gate.tasks):
        job = jobs.submit("test.block", None, b"{}")
        assert gate.has_begun.wait(DEADLINE_SECONDS)

        jobs.cancel(job.id)

        assert jobs.wait(job.id, DEADLINE_SECONDS).state is JobState.CANCELLED


def test_cancel_through_another_process_stops_a_running_job(jobs: JobService, gate: Gate, database: Database) -> None:
    with running(jobs, gate.tasks), service(database) as other:
        job = jobs.submit("test.block", None, b"{}")
        assert gate.has_begun.wait(DEADLINE_SECONDS)

        other.cancel(job.id)

        assert jobs.wait(job.id, DEADLINE_SECONDS).state is JobState.CANCELLED


def test_close_gives_back_what_does_not_end_in_time(jobs: JobService, gate: Gate) -> None:
    with running(jobs, gate.tasks) as worker:
        job = jobs.submit("test.block", None, b"{}")
        assert gate.has_begun.wait(DEADLINE_SECONDS)

        worker.close(timeout_seconds=0.05)

        given_back = jobs.get(job.id)
        assert (given_back.state, given_back.attempt) == (JobState.QUEUED, 0)
    assert gate.context is not None
    assert gate.context.is_cancelled()


@pytest.mark.postgres
@pytest.mark.slow
def test_result_waits_for_a_database_that_is_away(
    postgres_server: PostgresServer, postgres_database_url: str, gate: Gate
) -> None:
    from mlp.storage import schema

    database = Database(postgres_database_url, timeout_seconds=2.0)
    schema.upgrade(database)
    with service(database, job_lease_seconds=60) as jobs, running(jobs, gate.tasks):
        job = jobs.submit("test.block", None, b"{}")
        assert gate.has_begun.wait(DEADLINE_SECONDS)

        postgres_server.stop()
        gate.may_end.set()
        with pytest.raises(DatabaseUnavailable) as refusal:
            submit_echo(jobs)
        postgres_server.start()

        ended = jobs.wait(job.id, DEADLINE_SECONDS)
        assert (ended.state, ended.attempt, ended.result) == (JobState.SUCCEEDED, 1, b'"ended"')
        assert len(refusal.value.extra["job_id"]) == 36
    database.close()
