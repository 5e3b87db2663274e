"""Jobs: accepted by a commit, once a key, listed, cancelled, retried, purged; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from mlp.clock import now
from mlp.errors import BadInput, Conflict, IdempotencyKeyReused, JobFinished, TooManyRequests, UnknownJob
from mlp.jobs.job import JobError, NewJob
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState, Priority
from mlp.jobs.tables import job_payloads, job_results
from mlp.jobs.tables import jobs as jobs_table
from mlp.storage.database import Database
from tests.contract.job_support import KINDS, claim_one, service, submit_echo, together


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with service(database) as jobs:
        yield jobs


def count(database: Database, table: sa.Table) -> int:
    with database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_submit_is_committed_when_it_returns(jobs: JobService, database: Database) -> None:
    job = submit_echo(jobs, priority=Priority.HIGH, queue="fast")

    read = jobs.get(job.id)

    assert read == job
    assert (read.state, read.attempt, read.queue, read.priority) == (JobState.QUEUED, 0, "fast", 10)
    assert count(database, job_payloads) == 1


def test_submit_from_many_threads_loses_nothing(jobs: JobService) -> None:
    with ThreadPoolExecutor(16) as threads:
        accepted = list(threads.map(lambda _: submit_echo(jobs).id, range(200)))

    assert len(set(accepted)) == 200
    assert {job.id for job in jobs.list_jobs(limit=1000)} == set(accepted)


def test_submit_with_known_key_returns_the_same_job(jobs: JobService, database: Database) -> None:
    first = submit_echo(jobs, idempotency_key="order-7")
    claim = claim_one(jobs)
    jobs.leases.finish(claim, JobState.SUCCEEDED, result=b"1")

    again = submit_echo(jobs, idempotency_key="order-7")

    assert (again.id, again.state, again.result) == (first.id, JobState.SUCCEEDED, b"1")
    assert count(database, jobs_table) == 1


def test_submit_with_key_of_another_request_is_refused(jobs: JobService) -> None:
    first = submit_echo(jobs, idempotency_key="order-7")

    with pytest.raises(IdempotencyKeyReused) as refusal:
        jobs.submit("test.echo", "churn", b"{}", idempotency_key="order-7")

    assert refusal.value.extra == {"job_id": first.id}


def test_submit_compares_the_fingerprint_where_one_is_given(jobs: JobService) -> None:
    first = jobs.submit("test.echo", "churn", b"1", idempotency_key="k", fingerprint="same")

    again = jobs.submit("test.echo", "churn", b"2", idempotency_key="k", fingerprint="same")

    assert again.id == first.id


def test_concurrent_duplicates_through_two_servers_are_one_job(jobs: JobService, database: Database) -> None:
    ids: list[str] = []
    with service(database) as other:
        together(12, lambda number: ids.append(submit_echo((jobs, other)[number % 2], idempotency_key="once").id))

    assert len(ids) == 12
    assert len(set(ids)) == 1
    assert count(database, jobs_table) == 1


def test_groups_with_the_same_keys_in_any_order_do_not_lock_each_other_out(
    jobs: JobService, database: Database
) -> None:
    keys = [f"key-{number}" for number in range(400)]

    def submit(number: int) -> None:
        ordered = keys if number % 2 else keys[::-1]
        jobs.submit_many([NewJob("test.echo", None, b"{}", idempotency_key=key) for key in ordered])

    together(6, submit)

    assert count(database, jobs_table) == 400


def test_submit_many_accepts_all_in_order(jobs: JobService) -> None:
    offered = [NewJob("test.echo", "churn", str(number).encode()) for number in range(5)]

    accepted = jobs.submit_many(offered)

    assert [job.id for job in accepted] == [new.id for new in offered]
    assert [claim.payload for claim in jobs.leases.claim(KINDS, limit=9)] == [b"0", b"1", b"2", b"3", b"4"]


def test_submit_many_with_one_refused_accepts_none(jobs: JobService, database: Database) -> None:
    jobs.submit("test.echo", "churn", b"1", idempotency_key="taken")
    offered = [NewJob("test.echo", "churn", b"2"), NewJob("test.echo", "churn", b"3", idempotency_key="taken")]

    with pytest.raises(IdempotencyKeyReused):
        jobs.submit_many(offered)

    assert count(database, jobs_table) == 1


def test_submit_into_a_full_queue_is_refused(database: Database) -> None:
    with service(database, jobs_queued_max=2) as jobs:
        submit_echo(jobs)
        submit_echo(jobs)

        with pytest.raises(TooManyRequests) as refusal:
            submit_echo(jobs)

    assert refusal.value.retry_after_seconds > 0
    assert count(database, jobs_table) == 2


def test_unstorable_offer_harms_no_other(jobs: JobService, database: Database) -> None:
    answers = [jobs.offer("test.echo", model, b"{}", queue="q") for model in ("a", "b", "c")]
    # No database of ours takes an attempts_max beyond 64 bits.
    bad = jobs.offer("test.echo", "d", b"{}", attempts_max=2**70)
    answers += [jobs.offer("test.echo", "e", b"{}")]

    accepted = [answer.result(30) for answer in answers]

    assert bad.exception(30) is not None
    assert [job.model for job in accepted] == ["a", "b", "c", "e"]
    assert count(database, jobs_table) == 4


def test_cancel_ends_a_queued_job_at_once(jobs: JobService) -> None:
    job = submit_echo(jobs)

    cancelled = jobs.cancel(job.id)
    again = jobs.cancel(job.id)

    assert cancelled.state is JobState.CANCELLED
    assert again == cancelled
    assert jobs.leases.claim(KINDS) == []


def test_cancel_asks_a_running_job_to_stop(jobs: JobService) -> None:
    submit_echo(jobs)
    claim = claim_one(jobs)

    asked = jobs.cancel(claim.id)
    _, cancelled_ids = jobs.leases.renew()
    jobs.leases.try_again(claim, JobError("internal", "failed in between"), 0.0)

    assert (asked.state, asked.is_cancel_requested) == (JobState.RUNNING, True)
    assert cancelled_ids == {claim.id}
    assert jobs.get(claim.id).state is JobState.CANCELLED


def test_cancel_of_a_finished_job_is_refused(jobs: JobService) -> None:
    submit_echo(jobs)
    claim = claim_one(jobs)
    jobs.leases.finish(claim, JobState.SUCCEEDED, result=b"1")

    with pytest.raises(JobFinished, match="has succeeded already"):
        jobs.cancel(claim.id)


def test_retry_makes_a_new_job_and_leaves_the_old_one(jobs: JobService) -> None:
    old = submit_echo(jobs, priority=Priority.HIGH, queue="fast", idempotency_key="k")
    jobs.leases.finish(claim_one(jobs), JobState.FAILED, error=JobError("internal", "broken"))

    new = jobs.retry(old.id)

    assert new.id != old.id
    assert (new.state, new.queue, new.priority) == (JobState.QUEUED, "fast", Priority.HIGH)
    assert jobs.get(old.id).state is JobState.FAILED
    assert claim_one(jobs).payload == b'{"rows":[[1,2]]}'


def test_retry_of_a_job_under_way_is_refused(jobs: JobService) -> None:
    job = submit_echo(jobs)

    with pytest.raises(Conflict, match="the job is queued"):
        jobs.retry(job.id)


@pytest.mark.parametrize("job_id", ["0198f9a2-0000-7000-8000-000000000000", "", "a\x00b", "é" * 36, "x" * 500])
def test_unknown_job_is_named_whatever_the_id(jobs: JobService, job_id: str) -> None:
    for action in (jobs.get, jobs.cancel, jobs.retry):
        with pytest.raises(UnknownJob, match="unknown job"):
            action(job_id)


def test_list_filters_and_pages_newest_first(jobs: JobService) -> None:
    submitted = [submit_echo(jobs) for _ in range(5)]
    jobs.submit("test.block", "other", b"{}")
    jobs.leases.finish(claim_one(jobs), JobState.SUCCEEDED, result=b'"left out of lists"')

    first = jobs.list_jobs(model="churn", limit=3)
    second = jobs.list_jobs(model="churn", limit=3, cursor=first.next)

    assert [job.id for job in [*first, *second]] == [job.id for job in reversed(submitted)]
    assert second.next is None
    assert [job.id for job in jobs.list_jobs(state=JobState.SUCCEEDED)] == [submitted[0].id]
    assert [job.model for job in jobs.list_jobs(kind="test.block")] == ["other"]
    assert all(job.result is None for job in jobs.list_jobs())


def test_list_since_leaves_out_what_is_older(jobs: JobService) -> None:
    job = submit_echo(jobs)

    assert [found.id for found in jobs.list_jobs(since=job.created_at)] == [job.id]
    assert list(jobs.list_jobs(since=job.created_at + timedelta(seconds=1))) == []


def test_list_with_a_zero_byte_is_bad_input(jobs: JobService) -> None:
    with pytest.raises(BadInput):
        jobs.list_jobs(model="a\x00b")


def test_purge_deletes_old_finished_jobs_with_payload_and_result(jobs: JobService, database: Database) -> None:
    waiting = submit_echo(jobs, priority=Priority.LOW)
    old, fresh = submit_echo(jobs), submit_echo(jobs)
    for claim in jobs.leases.claim(KINDS, limit=2):
        jobs.leases.finish(claim, JobState.SUCCEEDED, result=b"1")
    with database.transaction() as connection:
        long_ago = now() - timedelta(days=8)
        connection.execute(sa.update(jobs_table).where(jobs_table.c.id == old.id).values(finished_at=long_ago))

    deleted = jobs.purge()

    assert deleted == 1
    assert {job.id for job in jobs.list_jobs()} == {waiting.id, fresh.id}
    assert (count(database, job_payloads), count(database, job_results)) == (2, 1)
