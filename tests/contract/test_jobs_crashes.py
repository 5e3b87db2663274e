"""What was acknowledged survives kill -9 of the process that acknowledged it, or that was at work on it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mlp.jobs.job import Job
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.storage.database import Database
from tests.contract.job_support import service, until

pytestmark = pytest.mark.slow
Child = subprocess.Popen[str]
Start = Callable[..., Child]


@pytest.fixture
def start(migrated_url: str) -> Iterator[Start]:
    """Starts job_child.py; whatever still runs after the test is killed."""
    with ExitStack() as children:

        def start_child(mode: str, *arguments: str) -> Child:
            program = str(Path(__file__).with_name("job_child.py"))
            command = [sys.executable, program, mode, migrated_url, *arguments]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            children.enter_context(child)
            children.callback(child.kill)
            return child

        yield start_child


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with service(database) as jobs:
        yield jobs


def line_of(child: Child) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def is_final(jobs: JobService, job: Job) -> Callable[[], bool]:
    return lambda: jobs.get(job.id).is_final


def test_kill_after_submit_was_acknowledged_loses_nothing(start: Start, jobs: JobService) -> None:
    child = start("submit")
    acknowledged = [line_of(child) for _ in range(20)]

    child.kill()
    assert child.stdout is not None
    acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
    child.wait()

    stored = {job.id: job.state for job in jobs.list_jobs(limit=1000)}
    assert all(stored.get(job_id) is JobState.QUEUED for job_id in acknowledged)
    assert len(stored) <= len(acknowledged) + 1
    assert len(jobs.leases.claim(["test.block"], limit=1000)) == len(stored)


def test_kill_while_running_is_made_good_at_once_by_the_next_server(start: Start, jobs: JobService) -> None:
    job = jobs.submit("test.block", None, b'{"a":1}')
    first = start("own", "3600")
    assert line_of(first) == f"{job.id} 1"

    first.kill()
    first.wait()
    second = start("own", "3600")

    assert line_of(second) == f"{job.id} 2"
    until(is_final(jobs, job))
    finished = jobs.get(job.id)
    assert (finished.state, finished.attempt) == (JobState.SUCCEEDED, 2)
    assert finished.result == b'{"attempt":2,"payload":{"a":1}}'


def test_kill_while_running_is_made_good_after_the_lease_by_a_sibling(start: Start, jobs: JobService) -> None:
    job = jobs.submit("test.block", None, b"{}")
    first = start("work", "1")
    assert line_of(first) == f"{job.id} 1"
    sibling = start("work", "1")

    first.kill()
    first.wait()

    assert line_of(sibling) == f"{job.id} 2"
    until(is_final(jobs, job))
    assert jobs.get(job.id).state is JobState.SUCCEEDED


def test_job_that_kills_its_worker_every_time_is_failed_in_the_end(start: Start, jobs: JobService) -> None:
    job = jobs.submit("test.block", None, b"{}", attempts_max=1)
    child = start("own", "3600")
    assert line_of(child) == f"{job.id} 1"

    child.kill()
    child.wait()
    start("own", "3600")

    until(is_final(jobs, job))
    failed = jobs.get(job.id)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, "attempts_exhausted")


def test_stop_in_order_gives_the_running_job_back(start: Start, jobs: JobService) -> None:
    job = jobs.submit("test.block", None, b"{}")
    child = start("work", "3600")
    assert line_of(child) == f"{job.id} 1"

    assert child.stdin is not None
    child.stdin.close()
    child.wait()

    given_back = jobs.get(job.id)
    assert (given_back.state, given_back.attempt) == (JobState.QUEUED, 0)
