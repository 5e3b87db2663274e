import threading
from typing import Any

from mlp.jobs.local_worker import LocalWorker
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.task import JobContext, TaskTable


def make(jobs: JobService, tasks: TaskTable, *, poll_seconds: float = 3600.0) -> LocalWorker:
    return LocalWorker("the stack", jobs.leases, jobs.notices, threads=2, poll_seconds=poll_seconds, tasks=tasks)


def test_idle_worker_is_woken_by_a_submission(jobs: JobService) -> None:
    tasks = TaskTable()
    tasks.task("test.echo")(lambda _context, payload: payload)
    worker = make(jobs, tasks)
    worker.start()

    job = jobs.submit("test.echo", None, b"{}")
    ended = jobs.wait(job.id, 30)
    worker.close(5.0)

    assert ended.state is JobState.SUCCEEDED


def test_close_waits_for_what_runs(jobs: JobService) -> None:
    tasks = TaskTable()
    has_begun = threading.Event()

    @tasks.task("test.slow")
    def slow(_context: JobContext, _payload: dict[str, Any]) -> str:
        has_begun.set()
        threading.Event().wait(0.05)
        return "whole"

    worker = make(jobs, tasks)
    worker.start()
    job = jobs.submit("test.slow", None, b"{}")
    assert has_begun.wait(30)

    worker.close(30.0)

    assert jobs.get(job.id).result == b'"whole"'


def test_close_without_start_does_nothing(jobs: JobService) -> None:
    make(jobs, TaskTable()).close(1.0)
