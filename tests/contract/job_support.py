"""What the contract tests of jobs share: services that live as long as a test, and waiting for a condition."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from mlp.clock import now
from mlp.config import Settings
from mlp.jobs.job import Claim, Job
from mlp.jobs.local_worker import LocalWorker
from mlp.jobs.service import JobService
from mlp.jobs.tables import jobs as jobs_table
from mlp.jobs.task import JobContext, TaskTable
from mlp.storage.database import Database

#: What the tests' workers can do.
KINDS = ["test.echo", "test.block"]
DEADLINE_SECONDS = 30.0


def settings(**changes: Any) -> Settings:
    return Settings(**changes)


@contextmanager
def service(database: Database, **changes: Any) -> Iterator[JobService]:
    """A job service, its sweeps not begun."""
    jobs = JobService(database, settings(**changes))
    try:
        yield jobs
    finally:
        jobs.close()


@contextmanager
def running(jobs: JobService, tasks: TaskTable, *, threads: int = 2) -> Iterator[LocalWorker]:
    """The service's sweeps and a worker, with little patience in everything."""
    worker = LocalWorker(
        None, jobs.leases, jobs.notices, threads=threads, poll_seconds=0.05, tasks=tasks, backoff_base_seconds=0.01
    )
    jobs.start()
    worker.start()
    try:
        yield worker
    finally:
        worker.close(timeout_seconds=5.0)


def echo_tasks() -> TaskTable:
    """A table whose task ``test.echo`` returns its payload."""
    tasks = TaskTable()

    @tasks.task("test.echo")
    def echo(_context: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    return tasks


def submit_echo(jobs: JobService, **options: Any) -> Job:
    return jobs.submit("test.echo", "churn", b'{"rows":[[1,2]]}', **options)


def claim_one(jobs: JobService) -> Claim:
    (claim,) = jobs.leases.claim(KINDS)
    return claim


def end_lease(database: Database, job_id: str) -> None:
    """Make the job's lease one that ended a while ago."""
    long_ago = now().replace(year=2020)
    with database.transaction() as connection:
        connection.execute(sa.update(jobs_table).where(jobs_table.c.id == job_id).values(lease_until=long_ago))


def until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Returns when the condition holds; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)


def together(count: int, action: Callable[[int], object]) -> None:
    """Run ``action(0)`` … at the same time in threads; the first error, if any, is raised."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(DEADLINE_SECONDS)
            action(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * DEADLINE_SECONDS)
    if errors:
        raise errors[0]
