"""Queued jobs become a worker's: read and written here, by the statements of claim_statements.py."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    """What one claim may take."""

    def jobs_max(self) -> Mapping[tuple[str, str], int]:
        """By kind and model how many jobs together, where it is more than one."""

    def seconds_max(self, kind: str) -> float:
        """How long an attempt of the kind may take."""


def claim(
    connection: sa.Connection, wanted: Wanted, lease: Lease, *, limit: int = 1, seconds_max: float = 3600.0
) -> list[Claim]:
    """Up to ``limit`` queued jobs that are now this worker's, the most urgent and then the oldest first."""
    is_sqlite = connection.dialect.name == "sqlite"
    parameters = _parameters(wanted) | _lease_parameters(is_sqlite, lease, seconds_max)
    rows = connection.execute(claim_statements.claim(is_sqlite, limit, _taken(wanted)), parameters)
    return _claims(rows, lease, lambda _kind: seconds_max)


def claim_group(connection: sa.Connection, wanted: Wanted, lease: Lease, allowance: Allowance) -> list[Claim]:
    """The job that is next and those behind it that go with it: of its kind and model, never begun, and small.

    A job that was begun before comes alone: if it ends its worker's process, no other job goes with it.
    """
    claim_rows = _claim_on_sqlite if connection.dialect.name == "sqlite" else _claim_on_postgresql
    return _claims(claim_rows(connection, wanted, lease, allowance), lease, allowance.seconds_max)


def _claim_on_sqlite(
    connection: sa.Connection, wanted: Wanted, lease: Lease, allowance: Allowance
) -> Iterable[sa.Row[Any]]:
    """In two statements: nobody else writes between them."""
    taken, narrowed = _taken(wanted), _parameters(wanted)
    head = connection.execute(claim_statements.head_on_sqlite(taken), narrowed).one_or_none()
    if head is None:
        return []
    limit = 1 if head.attempt > 0 else allowance.jobs_max().get((head.kind, head.model), 1)
    parameters = narrowed | _lease_parameters(True, lease, allowance.seconds_max(head.kind))
    parameters |= {"head": head.id, "head_kind": head.kind, "head_model": head.model}
    return connection.execute(claim_statements.claim_group_on_sqlite(limit, taken), parameters)


def _claim_on_postgresql(
    connection: sa.Connection, wanted: Wanted, lease: Lease, allowance: Allowance
) -> Iterable[sa.Row[Any]]:
    """In one statement, which knows beforehand how many of what may be taken."""
    jobs_max = allowance.jobs_max()
    parameters = {
        "kinds": list(wanted.kinds),
        "kind_seconds": [allowance.seconds_max(kind) for kind in wanted.kinds],
        "known_kinds": [kind for kind, _model in jobs_max],
        "known_models": [model for _kind, model in jobs_max],
        "known_jobs": list(jobs_max.values()),
        "queues": None if wanted.queues is None else list(wanted.queues),
        "broker_queues": None if wanted.broker_queues is None else list(wanted.broker_queues),
        "token": lease.token,
        "worker": lease.worker_id,
        "lease_seconds": lease.seconds,
    }
    return connection.execute(claim_statements.claim_group_on_postgresql(), parameters)


def _claims(rows: Iterable[sa.Row[Any]], lease: Lease, seconds_max: Callable[[str], float]) -> list[Claim]:
    in_order = sorted(rows, key=lambda row: (-row.priority, row.id))
    return [claim_of(row, lease.token, seconds_max(row.kind)) for row in in_order]


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
