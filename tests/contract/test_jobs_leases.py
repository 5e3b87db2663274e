"""Attempts: claimed once, fenced by their lease, taken up when their worker is gone; on SQLite and PostgreSQL."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from mlp.clock import now
from mlp.jobs import claim_store
from mlp.jobs.claim_store import Lease, Wanted
from mlp.jobs.job import JobError, NewJob, Progress
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState, Priority
from mlp.jobs.tables import job_results
from mlp.jobs.tables import jobs as jobs_table
from mlp.storage.database import Database
from tests.contract.job_support import KINDS, claim_one, end_lease, service, submit_echo, together


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with service(database) as jobs:
        yield jobs


def count(database: Database, table: sa.Table) -> int:
    with database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_claim_takes_the_most_urgent_then_the_oldest(jobs: JobService) -> None:
    low, first, second, high = (
        submit_echo(jobs, priority=priority)
        for priority in (Priority.LOW, Priority.DEFAULT, Priority.DEFAULT, Priority.HIGH)
    )

    claims = jobs.leases.claim(KINDS, limit=9)

    assert [claim.id for claim in claims] == [high.id, first.id, second.id, low.id]


def test_claim_takes_only_what_the_worker_knows_and_is_told(jobs: JobService) -> None:
    submit_echo(jobs, queue="slow")
    wanted = submit_echo(jobs, queue="fast")

    unknown = jobs.leases.claim(["test.other"])
    claims = jobs.leases.claim(KINDS, limit=9, queues=["fast", "faster"])

    assert unknown == []
    assert [claim.id for claim in claims] == [wanted.id]


def test_claim_by_id_takes_that_job_once(jobs: JobService) -> None:
    submit_echo(jobs)
    wanted = submit_echo(jobs)

    claims = jobs.leases.claim(KINDS, job_id=wanted.id)
    again = jobs.leases.claim(KINDS, job_id=wanted.id)

    assert [claim.id for claim in claims] == [wanted.id]
    assert again == []


def test_concurrent_claims_share_the_jobs_without_overlap(jobs: JobService) -> None:
    submitted = jobs.submit_many([NewJob("test.echo", None, b"{}") for _ in range(60)])
    claimed: list[str] = []

    def take_all(_number: int) -> None:
        while claims := jobs.leases.claim(KINDS, limit=3):
            claimed.extend(claim.id for claim in claims)

    together(6, take_all)

    assert sorted(claimed) == sorted(job.id for job in submitted)


def test_claim_waits_for_no_other_claim(jobs: JobService, database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("only on PostgreSQL: SQLite has one writer at a time")
    first, second = submit_echo(jobs), submit_echo(jobs)

    with database.transaction() as connection:
        under_way = claim_store.claim(connection, Wanted(KINDS), Lease("worker", "token", 15.0))
        meanwhile = claim_one(jobs)

    assert [claim.id for claim in under_way] == [first.id]
    assert meanwhile.id == second.id


def test_finish_writes_state_result_and_progress(jobs: JobService) -> None:
    submit_echo(jobs)
    claim = claim_one(jobs)

    finished = jobs.leases.finish(claim, JobState.SUCCEEDED, result=b'{"a":1}', progress=Progress(2, 2, "done"))

    assert finished == jobs.get(claim.id)
    assert finished is not None
    assert (finished.state, finished.result, finished.attempt) == (JobState.SUCCEEDED, b'{"a":1}', 1)
    assert finished.progress == Progress(2, 2, "done")
    assert finished.finished_at is not None
    assert finished.started_at is not None
    assert finished.created_at <= finished.started_at <= finished.finished_at


def test_finish_again_by_the_same_attempt_changes_nothing(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    claim = claim_one(jobs)

    first = jobs.leases.finish(claim, JobState.SUCCEEDED, result=b"1")
    again = jobs.leases.finish(claim, JobState.SUCCEEDED, result=b"1")

    assert again == first
    assert count(database, job_results) == 1


def test_finish_under_a_lost_lease_is_thrown_away(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    stale = claim_one(jobs)
    with service(database) as other:
        end_lease(database, stale.id)
        other.recovery.recover()
        fresh = claim_one(other)

        refused = jobs.leases.finish(stale, JobState.SUCCEEDED, result=b'"old"')
        accepted = other.leases.finish(fresh, JobState.SUCCEEDED, result=b'"new"')
        late = jobs.leases.finish(stale, JobState.FAILED, error=JobError("internal", "late"))

    assert refused is None
    assert late is None
    assert accepted == jobs.get(stale.id)
    assert accepted is not None
    assert (accepted.result, accepted.attempt, accepted.error) == (b'"new"', 2, None)


def test_retry_and_release_under_a_lost_lease_change_nothing(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    stale = claim_one(jobs)
    with service(database) as other:
        end_lease(database, stale.id)
        other.recovery.recover()
        fresh = claim_one(other)

        jobs.leases.try_again(stale, JobError("internal", "late"), 0.0)
        jobs.leases.give_back(stale)
        jobs.leases.show_progress(stale, Progress(1))

        job = jobs.get(fresh.id)

    assert (job.state, job.attempt, job.error, job.progress) == (JobState.RUNNING, 2, None, None)


def test_try_again_queues_the_job_after_its_pause(jobs: JobService) -> None:
    submit_echo(jobs)
    claim = claim_one(jobs)

    jobs.leases.try_again(claim, JobError("unavailable", "not now"), 3600.0)

    job = jobs.get(claim.id)
    assert (job.state, job.attempt, job.error) == (JobState.QUEUED, 1, JobError("unavailable", "not now"))
    assert jobs.leases.claim(KINDS) == []


def test_give_back_does_not_count_the_attempt(jobs: JobService) -> None:
    submit_echo(jobs)

    jobs.leases.give_back(claim_one(jobs))

    assert claim_one(jobs).attempt == 1


def test_renew_tells_of_lost_leases_and_of_jobs_to_stop(jobs: JobService, database: Database) -> None:
    jobs.submit_many([NewJob("test.echo", None, b"{}") for _ in range(3)])
    kept, lost, cancelled = (claim_one(jobs) for _ in range(3))
    jobs.cancel(cancelled.id)
    with database.transaction() as connection:
        connection.execute(sa.update(jobs_table).where(jobs_table.c.id == lost.id).values(lease_token="another"))

    lost_tokens, cancelled_ids = jobs.leases.renew()

    assert lost_tokens == {lost.lease_token}
    assert cancelled_ids == {cancelled.id}
    assert kept.lease_token not in lost_tokens


def test_recover_queues_what_a_dead_worker_left(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    with service(database) as dead:
        claim = claim_one(dead)
        alive = jobs.recovery.recover()
        end_lease(database, claim.id)

        recovered = jobs.recovery.recover()

    assert (alive, recovered) == (0, 1)
    assert jobs.get(claim.id).state is JobState.QUEUED


def test_recover_leaves_alone_what_this_process_is_late_to_renew(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    claim = claim_one(jobs)
    end_lease(database, claim.id)

    recovered = jobs.recovery.recover()

    assert recovered == 0
    assert jobs.leases.renew() == (set(), set())


def test_recover_fails_a_job_whose_attempts_are_spent(jobs: JobService, database: Database) -> None:
    submit_echo(jobs, attempts_max=1)
    with service(database) as dead:
        claim = claim_one(dead)
        end_lease(database, claim.id)

        jobs.recovery.recover()

    job = jobs.get(claim.id)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "attempts_exhausted"


def test_recover_cancels_a_job_that_was_to_stop(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    with service(database) as dead:
        claim = claim_one(dead)
        jobs.cancel(claim.id)
        end_lease(database, claim.id)

        jobs.recovery.recover()

    assert jobs.get(claim.id).state is JobState.CANCELLED


def test_recover_by_start_takes_what_began_before(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    submit_echo(jobs)
    with service(database) as dead, service(database) as sibling:
        before = claim_one(dead)
        taken_over_at = now()
        after = claim_one(sibling)

        recovered = jobs.recovery.recover(started_before=taken_over_at)

    assert recovered == 1
    assert jobs.get(before.id).state is JobState.QUEUED
    assert jobs.get(after.id).state is JobState.RUNNING


def test_recover_by_two_sweepers_counts_each_job_once(jobs: JobService, database: Database) -> None:
    jobs.submit_many([NewJob("test.echo", None, b"{}") for _ in range(30)])
    counts: list[int] = []
    with service(database) as dead:
        for claim in dead.leases.claim(KINDS, limit=30):
            end_lease(database, claim.id)

        together(4, lambda _: counts.append(jobs.recovery.recover()))

    assert sum(counts) == 30
