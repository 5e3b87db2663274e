"""Whether the statements of jobs go by indexes, and what they cost, beside 10,000,000 finished jobs.

The store's own functions are called on a PostgreSQL of this run, often enough to get the plans of a process that has
run for a while; each is rolled back. Prints time and pages of each statement. Ends with exit code 1 if one reads the
whole table of jobs, or more pages than a lookup may need; with --show also prints how each reads its tables.
"""

import argparse
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from bench.jobs.ending import end_in_order_on_signal
from bench.jobs.many_jobs import fill_finished, make_some_special
from bench.jobs.plans import Action, Explainer
from mlp.clock import now
from mlp.jobs import (
    claim_store,
    finish_store,
    publish_store,
    queues_store,
    recovery_store,
    store,
    webhooks_store,
)
from mlp.jobs.claim_store import Lease, Wanted
from mlp.jobs.job import Ending, JobError, NewJob
from mlp.jobs.states import JobState
from mlp.storage import schema
from mlp.storage.database import Database
from tests.postgres import PostgresServer

FINISHED_ROWS = 10_000_000
QUEUED = 1_000
RUNNING = 100
#: The row with its index entries, and the write-ahead log that is kept while so much is written.
_DISK_BYTES_PER_ROW = 900
_DISK_BYTES = 4 * 10**9
_KIND = "inference.predict"
_QUEUES = ["mlp.high", "mlp.default", "mlp.low"]
_LEASE = Lease("host/1", "new-token", 15.0)
_SECONDS_PER_DAY = 86_400.0


class _Eight:
    """Lets a claim take eight jobs."""

    def jobs_max(self) -> dict[tuple[str, str], int]:
        return {(_KIND, "model-1"): 8, (_KIND, "model-2"): 8}

    def seconds_max(self, _kind: str) -> float:
        return 60.0


def submit(database: Database) -> None:
    """The jobs that wait, half of them of one model, some with a webhook."""
    new_jobs = [
        NewJob(
            _KIND,
            "model-1" if number % 2 else "model-2",
            b'{"rows": []}',
            webhook_url="https://example.org/hook" if number % 50 == 0 else None,
        )
        for number in range(QUEUED + RUNNING)
    ]
    with database.transaction() as connection:
        store.insert_jobs(connection, new_jobs, 3)


def finish_some(connection: sa.Connection) -> None:
    """Claim jobs and end them: the statement of the result needs a claim that holds."""
    claims = claim_store.claim(connection, Wanted([_KIND], broker_queues=_QUEUES), _LEASE, limit=8)
    endings = [Ending(claim, JobState.SUCCEEDED, b"{}") for claim in claims]
    finish_store.finish_many(connection, endings)


def recover_some(connection: sa.Connection) -> None:
    """Take up what was left: locked, queued again or ended."""
    abandoned = [job.id for job in store.lock_abandoned(connection, 500, held_tokens=["a"])]
    store.requeue_locked(connection, abandoned[::2])
    store.end_locked(connection, abandoned[1::2], JobState.FAILED, JobError("internal", "no"))


def actions(some_ids: list[str]) -> dict[str, Action]:
    """What is executed, by name; ids of some jobs that have ended are given."""
    wanted = Wanted([_KIND], broker_queues=_QUEUES)
    oldest_seconds = 6.999 * _SECONDS_PER_DAY
    return {
        "claim: the next job": lambda c: claim_store.claim(c, wanted, _LEASE),
        "claim: one job by its id": lambda c: claim_store.claim(c, wanted._replace(job_id=some_ids[0]), _LEASE),
        "claim: a group": lambda c: claim_store.claim_group(c, wanted, _LEASE, _Eight()),
        "result: a group is ended": finish_some,
        "lease: renewed": lambda c: store.renew(c, [(each, "token") for each in some_ids[:8]], 15.0),
        "sweep: ended leases": recover_some,
        "sweep: owners without a lock": lambda c: recovery_store.lock_owned(
            c, recovery_store.list_lockless(c) or ["host/4712"], 500
        ),
        "sweep: expired jobs": lambda c: recovery_store.expire(c, JobError("job_expired", "late"), 500),
        "sweep: missing wake-ups": lambda c: publish_store.mark_published(
            c, [each[0] for each in publish_store.list_unpublished(c, 2.0, 200)]
        ),
        "sweep: ends for waiters": lambda c: store.list_final_ids(c, some_ids),
        "sweep: purge": lambda c: store.purge(c, oldest_seconds, 500),
        "webhooks: due": lambda c: webhooks_store.take(c, webhooks_store.list_due_ids(c, 100), 30.0),
        "webhooks: count": webhooks_store.count_open,
        "accept: a group with keys": lambda c: store.insert_jobs(
            c, [NewJob(_KIND, "model-1", b"{}", idempotency_key=f"new-{number}") for number in range(64)], 3
        ),
        "accept: keys that are known": lambda c: store.find_known(
            c, [NewJob(_KIND, "model-1", b"{}", idempotency_key=f"key-{3 * number}") for number in range(1, 65)]
        ),
        "accept: back-pressure": lambda c: store.count_queued(c, 1_000_000),
        "metrics: queues": lambda c: (queues_store.list_queued(c), queues_store.count_running(c)),
        "metrics: failures of an hour": lambda c: queues_store.list_failures(c, 3600.0, 20),
        **_lists(some_ids),
    }


def _lists(some_ids: list[str]) -> dict[str, Action]:
    filters = {
        "all": store.Filter(),
        "a model": store.Filter(model="model-3"),
        "a rare model": store.Filter(model="rare"),
        "queued": store.Filter(state=JobState.QUEUED),
        "failed": store.Filter(state=JobState.FAILED),
        "a rare kind": store.Filter(kind="registry.accept"),
        "a rare model, failed": store.Filter(model="rare", state=JobState.FAILED),
        "of the last hour": store.Filter(since=now() - timedelta(hours=1)),
        "failed in the last minute": store.Filter(state=JobState.FAILED, since=now() - timedelta(minutes=1)),
    }

    def page(wanted: store.Filter) -> Action:
        return lambda c: store.list_jobs(c, wanted, 51, None)

    lists: dict[str, Action] = {f"list: {name}": page(wanted) for name, wanted in filters.items()}
    lists["list: a page in the middle"] = lambda c: store.list_jobs(c, store.Filter(), 51, some_ids[-1])
    lists["show: a job with its result"] = lambda c: store.find_job(c, some_ids[0])
    return lists


def report(explainer: Explainer, some_ids: list[str], *, is_showing: bool) -> int:
    """How many statements have a plan that will not do."""
    faulty = 0
    for name, action in actions(some_ids).items():
        for plan in explainer.explain(action):
            print(f"{name:<32}{plan.milliseconds:9.2f} ms{plan.pages:9,} pages  {plan.statement}", flush=True)
            if is_showing or plan.faults:
                print(f"{'':<12}{'; '.join(plan.scans)}")
            if plan.faults:
                print(f"{'':<12}WRONG: {'; '.join(plan.faults)}")
                faulty += 1
    return faulty


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=FINISHED_ROWS, help="finished jobs")
    parser.add_argument("--rounds", type=int, default=1, help="how often the statements are looked at")
    parser.add_argument("--show", action="store_true", help="also how each statement reads its tables")
    wanted = parser.parse_args()
    end_in_order_on_signal()
    needed_bytes = wanted.jobs * _DISK_BYTES_PER_ROW + _DISK_BYTES
    free_bytes = shutil.disk_usage(Path(tempfile.gettempdir())).free
    if free_bytes < needed_bytes:
        sys.exit(
            f"{needed_bytes / 1e9:.1f} GB must be free for {wanted.jobs:,} rows, and {free_bytes / 1e9:.1f} GB are"
        )
    server = PostgresServer()
    try:
        return measure(server.url("postgres"), wanted)
    finally:
        server.close()


def measure(url: str, wanted: argparse.Namespace) -> int:
    """The exit code."""
    database = Database(url, timeout_seconds=60.0, connections_max=1)
    try:
        schema.upgrade(database)
        with psycopg.connect(url, autocommit=True) as connection:
            fill_finished(connection, wanted.jobs)
            submit(database)
            make_some_special(connection, QUEUED, RUNNING)
            some_ids = _ids(connection, wanted.jobs)
            size = _value(connection, "SELECT pg_size_pretty(pg_total_relation_size('jobs'))")
            print(f"the table of jobs with its indexes: {size}")
        database.engine.dispose()  # a new connection is the explainer's from its start
        explainer = Explainer(database)
        faulty = [report(explainer, some_ids, is_showing=wanted.show) for _ in range(wanted.rounds)]
    finally:
        database.close()
    verdict = "met" if faulty[-1] == 0 else f"MISSED by {faulty[-1]} statements"
    print(f"no statement reads the whole table: {verdict}")
    return 0 if faulty[-1] == 0 else 1


def _ids(connection: "psycopg.Connection[Any]", rows: int) -> list[str]:
    """Of some finished jobs, spread over the week."""
    query = "SELECT id FROM jobs WHERE idempotency_key = ANY(%s) AND tenant = 'default'"
    keys = [f"key-{3 * (rows // 300) * number}" for number in range(1, 100)] if rows >= 300 else ["key-3"]
    return [str(row[0]) for row in connection.execute(query, [keys])]


def _value(connection: "psycopg.Connection[Any]", query: str) -> object:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


if __name__ == "__main__":
    sys.exit(main())
