"""The rows of webhooks: which are due, whose turn to call it is, and what came of a call."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa

from mlp.jobs import statements
from mlp.jobs.tables import job_webhooks, jobs

#: Of a receiver's answer or an error this much is kept.
ERROR_CHARACTERS_MAX = 500


class WebhookState(StrEnum):
    """Where a webhook stands: still to be called, called with success, given up."""

    OPEN = "open"
    DELIVERED = "delivered"
    FAILED = "failed"


class Webhook(NamedTuple):
    """A webhook as it shows itself.

    Attributes:
        attempt: How often it was called, calls under way included.
        last_status: What the receiver answered last; None where it did not.
    """

    url: str
    state: WebhookState
    attempt: int
    last_status: int | None
    last_error: str | None
    ended_at: datetime | None


class Call(NamedTuple):
    """A webhook that is this process's to call until its lease ends."""

    job_id: str
    url: str
    attempt: int
    finished_at: datetime


#: A literal, so that the planner may use the partial index.
_OPEN = job_webhooks.c.state == sa.literal_column(f"'{WebhookState.OPEN.value}'", sa.String())


def find_webhook(connection: sa.Connection, job_id: str) -> Webhook | None:
    """The webhook of a job, if it has one."""
    columns = (job_webhooks.c[name] for name in Webhook._fields)
    row = connection.execute(sa.select(*columns).where(job_webhooks.c.job_id == job_id)).one_or_none()
    return None if row is None else Webhook(*row)._replace(state=WebhookState(row.state))


def count_open(connection: sa.Connection) -> int:
    """How many webhooks have still to be called, those of unfinished jobs included."""
    return connection.execute(sa.select(sa.func.count()).select_from(job_webhooks).where(_OPEN)).scalar_one()


def list_open_ids(connection: sa.Connection, job_ids: Sequence[str]) -> list[str]:
    """Those of these jobs that have a webhook still to be called."""
    query = sa.select(job_webhooks.c.job_id).where(job_webhooks.c.job_id.in_(job_ids), _OPEN)
    return list(connection.execute(query).scalars())


def list_due_ids(connection: sa.Connection, limit: int) -> list[str]:
    """Finished jobs whose webhook may be called now, those first that have been due for longest."""
    moment = statements.moment_in(connection)
    query = sa.select(job_webhooks.c.job_id).join(jobs, jobs.c.id == job_webhooks.c.job_id)
    query = query.where(_OPEN, job_webhooks.c.due_at <= moment, jobs.c.finished_at.is_not(None))
    return list(connection.execute(query.order_by(job_webhooks.c.due_at).limit(limit)).scalars())


def take(connection: sa.Connection, job_ids: Sequence[str], lease_seconds: float) -> list[Call]:
    """Those of these webhooks that are due and now this process's to call: nobody else's before the lease is over."""
    is_due = job_webhooks.c.due_at <= statements.moment_in(connection)
    query = sa.select(job_webhooks.c.job_id, job_webhooks.c.url, job_webhooks.c.attempt, jobs.c.finished_at)
    query = query.join(jobs, jobs.c.id == job_webhooks.c.job_id)
    query = query.where(job_webhooks.c.job_id.in_(job_ids), _OPEN, is_due, jobs.c.finished_at.is_not(None))
    rows = connection.execute(query.with_for_update(of=job_webhooks, skip_locked=True)).all()
    if rows:
        mine = sa.update(job_webhooks).where(job_webhooks.c.job_id.in_([row.job_id for row in rows]))
        lease_end = statements.moment_in(connection, lease_seconds)
        connection.execute(mine.values(attempt=job_webhooks.c.attempt + 1, due_at=lease_end))
    return [Call(row.job_id, row.url, row.attempt + 1, row.finished_at) for row in rows]


def end(connection: sa.Connection, call: Call, state: WebhookState, status: int | None, error: str | None) -> bool:
    """Whether the webhook was this call's to end: delivered, or failed for good."""
    moment = statements.moment_in(connection)
    statement = _of(call).values(state=state.value, ended_at=moment, **_came_of_it(status, error))
    return connection.execute(statement).rowcount == 1


def try_again(
    connection: sa.Connection, call: Call, delay_seconds: float, status: int | None, error: str | None
) -> bool:
    """Whether the webhook was this call's to put off."""
    due_at = statements.moment_in(connection, delay_seconds)
    return connection.execute(_of(call).values(due_at=due_at, **_came_of_it(status, error))).rowcount == 1


def put_off(connection: sa.Connection, call: Call, delay_seconds: float) -> None:
    """Give a call back that was not made: it does not count as an attempt."""
    due_at = statements.moment_in(connection, delay_seconds)
    connection.execute(_of(call).values(attempt=call.attempt - 1, due_at=due_at))


def _of(call: Call) -> sa.Update:
    """Fenced: a call whose lease has been over, and that another process makes again, changes nothing."""
    mine = sa.and_(job_webhooks.c.job_id == call.job_id, job_webhooks.c.attempt == call.attempt, _OPEN)
    return sa.update(job_webhooks).where(mine)


def _came_of_it(status: int | None, error: str | None) -> dict[str, int | str | None]:
    return {"last_status": status, "last_error": None if error is None else error[:ERROR_CHARACTERS_MAX]}
