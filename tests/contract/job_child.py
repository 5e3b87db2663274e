"""A process for the crash tests to kill.

    python job_child.py submit URL          submits jobs without end; prints each id after it was acknowledged
    python job_child.py work URL LEASE      runs jobs until standard input closes; prints each attempt as it begins
    python job_child.py own URL LEASE       as work, but takes the database for itself alone, as a server does

The task test.block never ends its first attempt, and ends every other one at once.
"""

import logging
import sys
import threading
from contextlib import closing
from typing import Any

from mlp.clock import now
from mlp.config import Settings
from mlp.jobs.local_worker import LocalWorker
from mlp.jobs.service import JobService
from mlp.jobs.task import JobContext, TaskTable
from mlp.storage.database import Database

TASKS = TaskTable()


@TASKS.task("test.block")
def block(context: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    print(f"{context.job_id} {context.attempt}", flush=True)
    if context.attempt == 1:
        threading.Event().wait()
    return {"attempt": context.attempt, "payload": payload}


def submit(jobs: JobService) -> None:
    number = 0
    while True:
        print(jobs.submit("test.block", None, f'{{"number":{number}}}'.encode()).id, flush=True)
        number += 1


def work(jobs: JobService, *, is_alone: bool) -> None:
    worker = LocalWorker(None, jobs.leases, jobs.notices, threads=2, poll_seconds=0.05, tasks=TASKS)
    jobs.start()
    if is_alone:
        jobs.recovery.recover(started_before=now())
    worker.start()
    sys.stdin.read()
    worker.close(0.1)


def main(mode: str, url: str, lease_seconds: float = 15.0) -> None:
    logging.basicConfig(level=logging.ERROR)
    with (
        closing(Database(url)) as database,
        closing(JobService(database, Settings(job_lease_seconds=lease_seconds))) as jobs,
    ):
        if mode == "submit":
            submit(jobs)
        else:
            work(jobs, is_alone=mode == "own")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:]))
