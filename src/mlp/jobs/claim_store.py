"""Queued jobs become a worker's: read and written here, by the statements of claim_statements.py."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from mlp.jobs import claim_statements, statements
from mlp.jobs.claim_statements import Taken
from mlp.jobs.job import Claim
from mlp.jobs.rows import claim_of


class Wanted(NamedTuple):
    """Which jobs a worker takes.

    Attributes:
        kinds: What it can do; other jobs wait for a worker that knows them.
        queues: Which queues; None: all.
        broker_queues: Which queues of the broker, priorities apart; None: all.
        job_id: This job alone.
    """

    kinds: Sequence[str]
    queues: Sequence[str] | None = None
    broker_queues: Sequence[str] | None = None
    job_id: str | None = None


class Lease(NamedTuple):
    """What a claimed job is held by; ``token`` is new with every claim."""

    worker_id: str
    token: str
    seconds: float


class Allowance(Protocol):
    """What one claim may take, decided once it is known which job is next."""

    def jobs_max(self, kind: str, model: str | None) -> int:
        """How many jobs of this kind and model together, at least 1."""

    def known(self) -> Sequence[tuple[str, str, int]]:
        """Kind, model and jobs_max() of everything of which more than one job may be taken."""

    def seconds_max(self, kind: str) -> float:
        """How long an attempt of the kind may take."""


def claim(
    connection: sa.Connection, wanted: Wanted, lease: Lease, *, limit: int = 1, seconds_max: float = 3600.0
) -> list[Claim]:
    """Up to ``limit`` queued jobs that are now this worker's, the most urgent and then the oldest first."""
    is_sqlite = connection.dialect.name == "sqlite"
    parameters = _parameters(wanted) | _lease_parameters(is_sqlite, lease, seconds_max)
    return _claims(connection, claim_statements.claim(is_sqlite, limit, _taken(wanted)), parameters, lease, seconds_max)


def claim_group(connection: sa.Connection, wanted: Wanted, lease: Lease, allowance: Allowance) -> list[Claim]:
    """The job that is next and those behind it that go with it: of its kind and model, never begun, and small.

    A job that was begun before comes alone: if it ends its worker's process, no other job goes with it.
    """
    if connection.dialect.name != "sqlite":
        return _claim_group_at_once(connection, wanted, lease, allowance)
    is_sqlite = True
    narrowed = _parameters(wanted)
    head = connection.execute(claim_statements.lock_head(is_sqlite, _taken(wanted)), narrowed).one_or_none()
    if head is None:
        return []
    seconds_max = allowance.seconds_max(head.kind)
    parameters = _lease_parameters(is_sqlite, lease, seconds_max) | {"head": head.id}
    limit = 1 if head.attempt > 0 or head.model is None else allowance.jobs_max(head.kind, head.model)
    if limit == 1:
        return _claims(connection, claim_statements.claim_locked(is_sqlite), parameters, lease, seconds_max)
    statement = claim_statements.claim_neighbours(is_sqlite, limit, _taken(wanted))
    parameters |= narrowed | {"head_kind": head.kind, "head_model": head.model}
    return _claims(connection, statement, parameters, lease, seconds_max)


def _claim_group_at_once(connection: sa.Connection, wanted: Wanted, lease: Lease, allowance: Allowance) -> list[Claim]:
    """On PostgreSQL: in one statement, which knows beforehand how many of what may be taken."""
    known = allowance.known()
    seconds_of = {kind: allowance.seconds_max(kind) for kind in wanted.kinds}
    parameters = {
        "kinds": list(seconds_of),
        "kind_seconds": list(seconds_of.values()),
        "known_kinds": [kind for kind, _model, _jobs in known],
        "known_models": [model for _kind, model, _jobs in known],
        "known_jobs": [jobs for _kind, _model, jobs in known],
        "queues": None if wanted.queues is None else list(wanted.queues),
        "broker_queues": None if wanted.broker_queues is None else list(wanted.broker_queues),
        "token": lease.token,
        "worker": lease.worker_id,
        "lease_seconds": lease.seconds,
    }
    rows = connection.execute(claim_statements.claim_group_at_once(), parameters)
    in_order = sorted(rows, key=lambda row: (-row.priority, row.id))
    return [claim_of(row, lease.token, seconds_of[row.kind]) for row in in_order]


def _claims(
    connection: sa.Connection, statement: sa.Executable, parameters: dict[str, Any], lease: Lease, seconds_max: float
) -> list[Claim]:
    rows = sorted(connection.execute(statement, parameters), key=lambda row: (-row.priority, row.id))
    return [claim_of(row, lease.token, seconds_max) for row in rows]


def _taken(wanted: Wanted) -> Taken:
    return Taken(wanted.queues is not None, wanted.broker_queues is not None, wanted.job_id is not None)


def _parameters(wanted: Wanted) -> dict[str, Any]:
    parameters: dict[str, Any] = {"kinds": list(wanted.kinds)}
    if wanted.queues is not None:
        parameters["queues"] = list(wanted.queues)
    if wanted.broker_queues is not None:
        parameters["broker_queues"] = list(wanted.broker_queues)
    if wanted.job_id is not None:
        parameters["job_id"] = wanted.job_id
    return parameters


def _lease_parameters(is_sqlite: bool, lease: Lease, seconds_max: float) -> dict[str, Any]:
    return {
        "token": lease.token,
        "worker": lease.worker_id,
        "lease_end": statements.later(is_sqlite, lease.seconds),
        "deadline": statements.later(is_sqlite, seconds_max),
    }
