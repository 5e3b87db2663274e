"""Claim, sweep, purge and lists stay fast beside many finished jobs: they read by index."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from mlp.clock import now
from mlp.jobs import claim_store, finish_store, recovery_store, store
from mlp.jobs.claim_store import Lease, Wanted
from mlp.jobs.job import Claim, Ending, Job, JobError, NewJob
from mlp.jobs.states import JobState
from mlp.storage.database import Database

FINISHED_ROWS = 20_000
LEASE = Lease("worker", "token", 15.0)
JOB = Job("job", "test.echo", "churn", "default", 0, JobState.RUNNING, 1, 3, False, now())
CLAIM = Claim("job", "test.echo", "churn", b"{}", 1, 3, "token", 0.0, 60.0, JOB)
_FILL = """
    INSERT INTO jobs (id, tenant, queue, kind, model, state, priority, attempt, attempts_max, is_cancel_requested,
                      created_at, available_at, finished_at)
    SELECT 'done-' || n, 'default', 'default', 'test.echo', 'churn', 'succeeded', 0, 1, 3, {false},
           {now}, {now}, {now}
    FROM {numbers}
"""
_POSTGRESQL = {"now": "now()", "false": "false", "numbers": f"generate_series(1, {FINISHED_ROWS}) AS s (n)"}
_SQLITE = {
    "now": "'2026-01-01 00:00:00.000000'",
    "false": "0",
    "numbers": f"""(
        WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {FINISHED_ROWS}) SELECT n FROM s
    )""",
}


class Eight:
    def jobs_max(self) -> dict[tuple[str, str], int]:
        return {("test.echo", "churn"): 8}

    def seconds_max(self, _kind: str) -> float:
        return 60.0


@pytest.fixture
def filled(database: Database) -> Iterator[Database]:
    with database.transaction() as connection:
        connection.execute(sa.text(_FILL.format(**(_SQLITE if database.is_sqlite else _POSTGRESQL))))
        store.insert_jobs(connection, [NewJob("test.echo", "churn", b"{}") for _ in range(50)], 3)
        claim_store.claim(connection, Wanted(["test.echo"]), LEASE, limit=10)
    with database.transaction() as connection:
        connection.execute(sa.text("ANALYZE"))
    yield database
    with database.transaction() as connection:
        connection.execute(sa.text("DELETE FROM jobs"))
    with database.transaction() as connection:
        connection.execute(sa.text("ANALYZE"))


def plan_of(database: Database, action: Callable[[sa.Connection], Any]) -> str:
    """What the database says about how it does what the action executed last."""
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        executed.append((statement, parameters))

    with database.transaction() as connection:
        event.listen(connection, "before_cursor_execute", note)
        action(connection)
        event.remove(connection, "before_cursor_execute", note)
        statement, parameters = executed[-1]
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        rows = connection.exec_driver_sql(explain + statement, parameters)
        return "\n".join(str(row[-1]) for row in rows)


def reads_whole_table(plan: str) -> bool:
    return "Seq Scan on jobs" in plan or any(
        line.strip().startswith("SCAN jobs") and "USING" not in line for line in plan.splitlines()
    )


def test_statements_use_their_indexes(filled: Database) -> None:
    statements: list[tuple[str, Callable[[sa.Connection], Any]]] = [
        ("ix_jobs_queued", lambda c: claim_store.claim(c, Wanted(["test.echo"]), LEASE)),
        (
            "ix_jobs_queued",
            lambda c: claim_store.claim(c, Wanted(["test.echo", "inference.predict"], ["default"]), LEASE, limit=8),
        ),
        ("ix_jobs_queued", lambda c: store.count_queued(c, 100)),
        ("ix_jobs_running", lambda c: store.lock_abandoned(c, 500, held_tokens=["a"])),
        ("ix_jobs_finished", lambda c: store.purge(c, 1e6, 500)),
        ("ix_jobs_failed", lambda c: store.list_jobs(c, store.Filter(state=JobState.FAILED), 50, None)),
        ("ix_jobs_uncommon_kinds", lambda c: store.list_jobs(c, store.Filter(kind="rare"), 50, None)),
        ("ix_jobs_model_id", lambda c: store.list_jobs(c, store.Filter(model="rare"), 50, None)),
        (
            "uq_jobs_tenant_idempotency_key",
            lambda c: store.find_known(c, [NewJob("a", None, b"", idempotency_key="k")]),
        ),
        ("", lambda c: store.list_jobs(c, store.Filter(), 50, "x")),
        ("", lambda c: store.list_final_ids(c, ["a", "b"])),
        ("", lambda c: finish_store.finish_many(c, [Ending(CLAIM, JobState.SUCCEEDED, b"1")])),
        ("ix_jobs_expiring", lambda c: recovery_store.expire(c, JobError("job_expired", "late"), 500)),
        ("ix_jobs_queued", lambda c: claim_store.claim_group(c, Wanted(["test.echo"]), LEASE, Eight())),
        ("", lambda c: store.renew(c, [("a", "t"), ("b", "u")], 15.0)),
    ]

    plans = [(index, plan_of(filled, action)) for index, action in statements]

    assert [plan for index, plan in plans if index not in plan or reads_whole_table(plan)] == []
