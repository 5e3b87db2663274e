"""Watchers of jobs on their way: told of each change once, by one query for all of them."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import event

from mlp.jobs.job import Job, Progress
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.watchers import Watchers
from mlp.storage.database import Database


@pytest.fixture
def watchers(database: Database) -> Iterator[Watchers]:
    """Not started: the tests look themselves."""
    with closing(Watchers(database)) as watchers:
        yield watchers


def submit(jobs: JobService) -> str:
    return jobs.submit("test.echo", "churn", b"{}").id


def test_each_change_is_told_once(jobs: JobService, watchers: Watchers) -> None:
    job_id, told = submit(jobs), list[Job]()

    with watchers.following(job_id, told.append):
        watchers.look()
        watchers.look()
        (claim,) = jobs.leases.claim(["test.echo"])
        watchers.look()
        jobs.leases.show_progress(claim, Progress(1, 2))
        watchers.look()
        watchers.look()

    assert [(job.state, job.progress) for job in told] == [
        (JobState.QUEUED, None),
        (JobState.RUNNING, None),
        (JobState.RUNNING, Progress(1, 2)),
    ]


def test_whoever_has_left_is_told_nothing(jobs: JobService, watchers: Watchers) -> None:
    job_id, told = submit(jobs), list[Job]()

    with watchers.following(job_id, told.append):
        pass
    watchers.look()

    assert told == []


def test_two_of_one_job_are_told_both_and_the_second_stays(jobs: JobService, watchers: Watchers) -> None:
    job_id, first, second = submit(jobs), list[Job](), list[Job]()

    with watchers.following(job_id, second.append):
        with watchers.following(job_id, first.append):
            watchers.look()
        jobs.cancel(job_id)
        watchers.look()

    assert len(first) == 1
    assert [job.state for job in second] == [JobState.QUEUED, JobState.CANCELLED]


def test_one_query_for_many_and_none_for_nobody(database: Database, jobs: JobService, watchers: Watchers) -> None:
    job_ids = [submit(jobs) for _ in range(20)]
    queries: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_details: object) -> None:
        queries.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    watchers.look()
    nobody = len(queries)
    with ExitStack() as streams:
        for job_id in job_ids:
            for _stream in range(3):
                streams.enter_context(watchers.following(job_id, lambda _job: None))
        watchers.look()
    event.remove(database.engine, "before_cursor_execute", note)

    assert nobody == 0
    assert len([query for query in queries if "FROM jobs" in query]) == 1
