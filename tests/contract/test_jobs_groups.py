"""Jobs of one model that wait together are claimed, run and ended together, and none pays for another's fault."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from mlp.jobs.claim_store import Wanted
from mlp.jobs.job import Claim, Ending, Job, JobError
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.tables import job_results
from mlp.jobs.task import JobContext, TaskTable
from mlp.storage.database import Database
from tests.contract.job_support import end_lease, running, service, until

KIND = "test.together"


class Allowed:
    """What a claim may take."""

    def __init__(self, jobs_max: int) -> None:
        self._jobs_max = jobs_max

    def jobs_max(self) -> dict[tuple[str, str], int]:
        models = ("churn", "other") if self._jobs_max > 1 else ()
        return {(kind, model): self._jobs_max for kind in (KIND, "test.other") for model in models}

    def seconds_max(self, _kind: str) -> float:
        return 60.0


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with service(database) as jobs:
        yield jobs


def submit(jobs: JobService, count: int, model: str | None = "churn", **options: Any) -> list[Job]:
    return [jobs.submit(KIND, model, b'{"n":%d}' % number, **options) for number in range(count)]


def claim_group(jobs: JobService, jobs_max: int = 64, **wanted: Any) -> list[Claim]:
    return jobs.leases.claim_group(Wanted([KIND, "test.other"], **wanted), Allowed(jobs_max))


def ids_of(found: Sequence[Job] | Sequence[Claim]) -> list[str]:
    return [each.id for each in found]


def test_group_is_the_next_job_and_those_of_its_kind_and_model(jobs: JobService) -> None:
    mine = submit(jobs, 3)
    submit(jobs, 2, model="other")
    jobs.submit("test.other", "churn", b"{}")
    mine += submit(jobs, 2)

    assert ids_of(claim_group(jobs)) == ids_of(mine)
    assert len({claim.lease_token for claim in claim_group(jobs)}) == 1


def test_group_is_no_larger_than_allowed(jobs: JobService) -> None:
    submitted = submit(jobs, 5)

    assert ids_of(claim_group(jobs, 3)) == ids_of(submitted[:3])
    assert ids_of(claim_group(jobs, 1)) == ids_of(submitted[3:4])
    assert ids_of(claim_group(jobs, 3)) == ids_of(submitted[4:])
    assert claim_group(jobs, 3) == []


def test_urgent_jobs_lead_their_group(jobs: JobService) -> None:
    ordinary = submit(jobs, 2)
    urgent = submit(jobs, 2, priority=10)

    assert ids_of(claim_group(jobs)) == ids_of([*urgent, *ordinary])


def test_jobs_without_a_model_come_alone(jobs: JobService) -> None:
    submit(jobs, 2, model=None)

    assert len(claim_group(jobs)) == 1


def test_large_job_comes_alone_and_joins_no_other(jobs: JobService) -> None:
    small = submit(jobs, 1)
    large = jobs.submit(KIND, "churn", b'{"x":"%s"}' % (b"a" * 70_000))
    small += submit(jobs, 1)

    assert ids_of(claim_group(jobs)) == ids_of(small)
    assert ids_of(claim_group(jobs)) == [large.id]


def test_job_that_was_begun_before_comes_alone(jobs: JobService, database: Database) -> None:
    submit(jobs, 3)
    claims = claim_group(jobs)
    for claim in claims:
        end_lease(database, claim.id)
        jobs.leases.drop(claim)
    jobs.recovery.recover()

    assert [len(claim_group(jobs)) for _ in range(4)] == [1, 1, 1, 0]


def test_group_takes_only_what_may_run_now(jobs: JobService, database: Database) -> None:
    (first, second, expired) = submit(jobs, 3)
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE jobs SET available_at = :later WHERE id = :id"), _in_a_year(second.id))
        connection.execute(sa.text("UPDATE jobs SET expires_at = created_at WHERE id = :id"), {"id": expired.id})

    assert ids_of(claim_group(jobs)) == [first.id]


def _in_a_year(job_id: str) -> dict[str, str]:
    return {"later": "2099-01-01 00:00:00.000000", "id": job_id}


def test_finish_many_ends_each_in_its_own_way_and_passes_over_lost_leases(jobs: JobService, database: Database) -> None:
    submit(jobs, 3)
    done, broken, lost = claim_group(jobs)
    end_lease(database, lost.id)
    with service(database) as other:
        other.recovery.recover()

    ended = jobs.leases.finish_many(
        [
            Ending(done, JobState.SUCCEEDED, b'{"a":1}'),
            Ending(lost, JobState.SUCCEEDED, b'"late"'),
            Ending(broken, JobState.FAILED, error=JobError("bad_input", "row 3")),
        ]
    )

    assert [None if job is None else job.state for job in ended] == [JobState.SUCCEEDED, None, JobState.FAILED]
    assert [jobs.get(job.id) for job in ended if job is not None] == [job for job in ended if job is not None]
    assert jobs.get(lost.id).state is JobState.QUEUED
    with database.reading() as connection:
        assert connection.execute(sa.select(job_results.c.job_id)).scalars().all() == [done.id]


def test_finish_many_again_finds_what_it_has_done(jobs: JobService) -> None:
    submit(jobs, 2)
    endings = [Ending(claim, JobState.SUCCEEDED, b"1") for claim in claim_group(jobs)]

    assert jobs.leases.finish_many(endings) == jobs.leases.finish_many(endings)


def test_waiting_jobs_run_together_and_each_has_its_own_outcome(jobs: JobService) -> None:
    tasks, groups = TaskTable(), []

    def together(contexts: Sequence[JobContext], payloads: Sequence[dict[str, int]]) -> list[Any]:
        groups.append(len(contexts))
        return [ValueError("bad 7") if payload["n"] == 7 else payload["n"] for payload in payloads]

    @tasks.task(KIND, together=together)
    def alone(_context: JobContext, payload: dict[str, int]) -> int:
        return payload["n"]

    submitted = submit(jobs, 200, attempts_max=1)
    with running(jobs, tasks, threads=2):
        until(lambda: all(jobs.get(job.id).is_final for job in submitted))

    found = [jobs.get(job.id) for job in submitted]
    assert [job.result for job in found] == [None if n == 7 else b"%d" % n for n in range(200)]
    assert found[7].error == JobError("internal", "ValueError: bad 7")
    assert max(groups) > 8


def test_group_that_fails_as_a_whole_is_tried_again_one_by_one(jobs: JobService) -> None:
    tasks = TaskTable()

    def together(_contexts: Sequence[JobContext], _payloads: Sequence[Any]) -> list[Any]:
        raise RuntimeError("all of it")

    @tasks.task(KIND, together=together)
    def alone(_context: JobContext, payload: dict[str, int]) -> int:
        return payload["n"]

    submitted = submit(jobs, 50)
    with running(jobs, tasks, threads=1):
        until(lambda: all(jobs.get(job.id).state is JobState.SUCCEEDED for job in submitted))

    assert [jobs.get(job.id).result for job in submitted] == [b"%d" % n for n in range(50)]


def test_task_that_does_not_stop_is_given_up_and_its_place_is_taken(jobs: JobService) -> None:
    tasks, may_end, stuck_threads = TaskTable(), threading.Event(), []

    @tasks.task("test.hang", seconds_max=0.2)
    def hang(_context: JobContext, _payload: dict[str, Any]) -> str:
        stuck_threads.append(threading.current_thread())
        may_end.wait(120)
        return "too late"

    @tasks.task(KIND)
    def alone(_context: JobContext, payload: dict[str, int]) -> int:
        return payload["n"]

    stuck = jobs.submit("test.hang", None, b"{}", attempts_max=1)
    with running(jobs, tasks, threads=1):
        until(lambda: jobs.get(stuck.id).is_final, 60)
        (behind,) = submit(jobs, 1)
        until(lambda: jobs.get(behind.id).is_final)
        may_end.set()
        for thread in stuck_threads:
            thread.join(30)

    error = jobs.get(stuck.id).error
    assert error is not None
    assert error.code == "job_timed_out"


def test_task_that_looks_stops_when_its_time_is_over(jobs: JobService) -> None:
    tasks, patience = TaskTable(), threading.Event()

    @tasks.task("test.loop", seconds_max=0.2)
    def loop(context: JobContext, _payload: dict[str, Any]) -> None:
        while True:
            context.check_cancelled()
            patience.wait(0.01)

    job = jobs.submit("test.loop", None, b"{}", attempts_max=2)
    with running(jobs, tasks, threads=1):
        until(lambda: jobs.get(job.id).is_final, 60)

    found = jobs.get(job.id)
    assert (found.state, found.attempt, found.error and found.error.code) == (JobState.FAILED, 2, "job_timed_out")


def test_job_that_nobody_begins_in_time_fails(jobs: JobService) -> None:
    expiring = jobs.submit(KIND, "churn", b"{}", expires_seconds=0.01)
    patient = jobs.submit(KIND, "churn", b"{}", expires_seconds=3600)
    until(lambda: jobs.recovery.expire() == 1)

    found = jobs.get(expiring.id)
    assert (found.state, found.error and found.error.code) == (JobState.FAILED, "job_expired")
    assert ids_of(claim_group(jobs)) == [patient.id]
