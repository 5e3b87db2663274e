"""Workers and queues as an operator sees them, and the pause of a queue; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from mlp.clock import now
from mlp.errors import UnknownQueue, UnknownWorker
from mlp.jobs import queues_store, statements
from mlp.jobs.broker_queues import broker_queue_of
from mlp.jobs.job import JobError, NewJob
from mlp.jobs.queues import Queues, QueueState
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState, Priority
from mlp.jobs.tables import jobs as jobs_table
from mlp.jobs.tables import workers as workers_table
from mlp.jobs.workers import LIVE_SECONDS, WorkerPhase, WorkerRegister, WorkerState
from mlp.storage.database import Database
from tests.contract.job_support import KINDS, claim_one, service, settings, submit_echo, together

BROKER = {"broker_url": "pyamqp://guest:guest@127.0.0.1:9//", "queues": "nightly"}


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with service(database) as jobs:
        yield jobs


@pytest.fixture
def register(database: Database) -> WorkerRegister:
    return WorkerRegister(database)


@pytest.fixture
def queues(database: Database) -> Queues:
    """Those of a stack with one named queue."""
    return Queues(database, settings(**BROKER))


def worker(name: str = "one", **changes: Any) -> WorkerState:
    values = {
        "id": f"{name}-7",
        "host": name,
        "pid": 7,
        "release": "0.1.0",
        "queues": ("mlp.high", "mlp.default"),
        "processes": 2,
        "state": WorkerPhase.RUNNING,
        "started_at": now(),
        **changes,
    }
    return WorkerState(**values)


def age(database: Database, table: sa.Table, column: str, seconds: float) -> None:
    """Moves a moment of every row into the past."""
    with database.transaction() as connection:
        connection.execute(sa.update(table).values({column: now() - timedelta(seconds=seconds)}))


def named(queues: Queues, name: str) -> QueueState:
    return next(queue for queue in queues.list_queues() if queue.name == name)


def test_worker_that_reports_itself_is_listed_as_it_is(register: WorkerRegister) -> None:
    state = worker()

    wish = register.beat(state)
    (seen,) = register.list_workers()

    assert wish is False
    assert (seen.id, seen.queues, seen.state, seen.started_at) == (
        state.id,
        state.queues,
        state.state,
        state.started_at,
    )
    assert seen.is_live
    assert seen.is_taking
    assert 0 <= seen.age_seconds < LIVE_SECONDS


def test_worker_that_reports_again_is_one_worker(register: WorkerRegister) -> None:
    register.beat(worker())
    register.beat(worker(state=WorkerPhase.DRAINING, processes=4))

    (seen,) = register.list_workers()

    assert (seen.state, seen.processes, seen.is_live, seen.is_taking) == (WorkerPhase.DRAINING, 4, True, False)


def test_worker_that_is_silent_is_gone_and_then_forgotten(register: WorkerRegister, database: Database) -> None:
    register.beat(worker())
    age(database, workers_table, "seen_at", LIVE_SECONDS + 5)
    register.beat(worker("two"))

    seen = {each.host: each for each in register.list_workers()}
    forgotten = register.forget_silent(LIVE_SECONDS)

    assert (seen["one"].is_live, seen["two"].is_live) == (False, True)
    assert LIVE_SECONDS + 4 < seen["one"].age_seconds < LIVE_SECONDS + 60
    assert forgotten == 1
    assert [each.host for each in register.list_workers()] == ["two"]


def test_worker_that_leaves_is_not_live(register: WorkerRegister) -> None:
    register.beat(worker())

    register.leave("one-7")
    register.leave("unknown")
    (seen,) = register.list_workers()

    assert (seen.state, seen.is_live) == (WorkerPhase.STOPPED, False)


def test_drain_is_told_to_the_worker_until_it_is_taken_back(register: WorkerRegister) -> None:
    register.beat(worker())

    drained = register.set_draining("one-7", True)
    wishes = [register.beat(worker())]
    register.set_draining("one-7", False)
    wishes.append(register.beat(worker()))

    assert (drained.is_draining, drained.is_live, drained.is_taking) == (True, True, False)
    assert wishes == [True, False]


@pytest.mark.parametrize("worker_id", ["nobody", "\0"])
def test_drain_of_an_unknown_worker_is_refused(register: WorkerRegister, worker_id: str) -> None:
    with pytest.raises(UnknownWorker, match="mlp workers list"):
        register.set_draining(worker_id, True)


def test_queue_of_a_row_is_that_of_a_job_in_python(jobs: JobService, database: Database) -> None:
    cases = [(queue, priority) for queue in ("default", "registry", "nightly") for priority in (-11, *Priority, 7)]
    submitted = [submit_echo(jobs, queue=queue, priority=priority) for queue, priority in cases]

    with database.reading() as connection:
        query = sa.select(jobs_table.c.id, statements.broker_queue_column())
        found = {row[0]: row[1] for row in connection.execute(query)}

    assert [found[job.id] for job in submitted] == [broker_queue_of(*case) for case in cases]


def test_queues_show_what_waits_and_runs(jobs: JobService, queues: Queues, database: Database) -> None:
    submit_echo(jobs, priority=Priority.HIGH)
    claim_one(jobs)
    for queue, priority in (("default", 0), ("default", 0), ("nightly", 10), ("forgotten", 0)):
        submit_echo(jobs, queue=queue, priority=priority)
    age(database, jobs_table, "available_at", 100)

    found = {queue.name: queue for queue in queues.list_queues()}

    assert list(found) == ["mlp.high", "mlp.default", "mlp.nightly", "mlp.low", "mlp.forgotten"]
    assert [(queue.queued, queue.running) for queue in found.values()] == [(0, 1), (2, 0), (1, 0), (0, 0), (1, 0)]
    assert found["mlp.high"].oldest_seconds is None
    assert 99 < (found["mlp.default"].oldest_seconds or 0) < 160
    assert (found["mlp.default"].unpublished, found["mlp.low"].unpublished) == (2, 0)
    assert [queue.is_known for queue in found.values()] == [True, True, True, True, False]


def test_jobs_that_wait_for_their_time_are_queued_and_have_no_age(
    jobs: JobService, queues: Queues, database: Database
) -> None:
    submit_echo(jobs)
    age(database, jobs_table, "available_at", -100)

    state = named(queues, "mlp.default")

    assert (state.queued, state.oldest_seconds, state.unpublished) == (1, None, 0)


def test_queues_count_the_workers_that_take_them(register: WorkerRegister, queues: Queues, database: Database) -> None:
    register.beat(worker("gone"))
    age(database, workers_table, "seen_at", LIVE_SECONDS + 5)
    register.beat(worker("one"))
    register.beat(worker("two", queues=("mlp.high",)))
    register.beat(worker("drained"))
    register.set_draining("drained-7", True)

    found = {queue.name: queue.workers for queue in queues.list_queues()}

    assert found == {"mlp.high": 2, "mlp.default": 1, "mlp.nightly": 0, "mlp.low": 0}


def test_queues_of_a_laptop_are_taken_by_the_server_itself(database: Database) -> None:
    found = {queue.name: queue.workers for queue in Queues(database, settings(queues="nightly")).list_queues()}
    without_threads = Queues(database, settings(job_workers=0)).list_queues()

    assert found == {"mlp.high": 1, "mlp.default": 1, "mlp.nightly": 0, "mlp.low": 1}
    assert {queue.workers for queue in without_threads} == {0}


def test_paused_queue_accepts_jobs_and_starts_none(jobs: JobService, queues: Queues) -> None:
    running = submit_echo(jobs)
    claim = claim_one(jobs)

    state = queues.pause("mlp.default", "the model is wrong")
    waiting = submit_echo(jobs)
    other = submit_echo(jobs, priority=Priority.LOW)
    claims = jobs.leases.claim(KINDS, limit=9)
    by_id = jobs.leases.claim(KINDS, job_id=waiting.id)
    finished = jobs.leases.finish(claim, JobState.SUCCEEDED, result=b"1")

    assert (state.is_paused, state.reason, state.running) == (True, "the model is wrong", 1)
    assert queues.paused() == {"mlp.default"}
    assert [each.id for each in claims] == [other.id]
    assert by_id == []
    assert finished is not None
    assert finished.id == running.id


def test_resumed_queue_starts_its_jobs_whose_wake_ups_are_sent_again(
    jobs: JobService, queues: Queues, database: Database
) -> None:
    queues.pause("default", "")
    waiting, other = submit_echo(jobs), submit_echo(jobs, priority=Priority.HIGH)
    age(database, jobs_table, "available_at", 10)
    age(database, jobs_table, "published_at", 1)

    state = queues.resume("default")
    with database.reading() as connection:
        query = sa.select(jobs_table.c.id).where(jobs_table.c.published_at.is_(None))
        unpublished = list(connection.execute(query).scalars())

    assert (state.name, state.is_paused, state.reason, state.unpublished) == ("mlp.default", False, None, 1)
    assert unpublished == [waiting.id]
    assert {claim.id for claim in jobs.leases.claim(KINDS, limit=9)} == {waiting.id, other.id}


def test_resume_of_a_queue_that_is_not_paused_changes_nothing(
    jobs: JobService, queues: Queues, database: Database
) -> None:
    submit_echo(jobs)
    age(database, jobs_table, "published_at", 1)

    state = queues.resume("mlp.default")

    assert (state.is_paused, state.unpublished) == (False, 0)


def test_pause_again_gives_the_new_reason(queues: Queues) -> None:
    first = queues.pause("mlp.low", "first")

    again = queues.pause("mlp.low", "second")

    assert (again.reason, again.paused_at) == ("second", first.paused_at)


def test_queue_left_over_from_other_settings_can_be_paused(jobs: JobService, queues: Queues) -> None:
    submit_echo(jobs, queue="forgotten")

    assert queues.pause("mlp.forgotten", "who wrote these?").is_paused


@pytest.mark.parametrize("queue", ["urgent", "mlp.registry", "", "\0"])
def test_unknown_queue_is_refused_with_those_that_there_are(queues: Queues, queue: str) -> None:
    with pytest.raises(UnknownQueue, match=r"there is mlp\.high, mlp\.default, mlp\.nightly, mlp\.low"):
        queues.pause(queue, "")
    with pytest.raises(UnknownQueue):
        queues.resume(queue)


def test_failures_are_counted_by_reason(jobs: JobService, queues: Queues, database: Database) -> None:
    jobs.submit_many([NewJob("test.echo", "churn", b"{}") for _ in range(3)])
    for code in ("model_failed", "model_failed", "unknown_version"):
        jobs.leases.finish(claim_one(jobs), JobState.FAILED, error=JobError(code, "why"))

    failures = queues.list_failures(3600)
    age(database, jobs_table, "finished_at", 4000)

    assert [(each.kind, each.model, each.code, each.count) for each in failures] == [
        ("test.echo", "churn", "model_failed", 2),
        ("test.echo", "churn", "unknown_version", 1),
    ]
    assert jobs.get(failures[0].latest_id).state is JobState.FAILED
    assert queues.list_failures(3600) == []


def test_two_operators_pause_at_the_same_time(queues: Queues, database: Database) -> None:
    together(6, lambda number: queues.pause("mlp.low", f"operator {number}"))

    with database.reading() as connection:
        assert list(queues_store.list_pauses(connection)) == ["mlp.low"]


def test_one_worker_reports_twice_at_the_same_time(register: WorkerRegister) -> None:
    together(6, lambda _number: register.beat(worker()))

    assert len(register.list_workers()) == 1
