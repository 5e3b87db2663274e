"""Attempts end their jobs: state, result and error in one transaction, and only for who still holds the lease."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from mlp.jobs import statements
from mlp.jobs.job import Ending, Job
from mlp.jobs.large_results import in_rows
from mlp.jobs.rows import error_json, job_of, job_with_result_of, progress_json
from mlp.jobs.tables import jobs


def finish_many(connection: sa.Connection, endings: Sequence[Ending]) -> list[Job | None]:
    """The jobs in their final states, in the order given; None where the lease is lost and nothing was written.

    An attempt that has ended its job before (the answer to its COMMIT was lost) gets the job as it ended.
    """
    if connection.dialect.name == "sqlite":
        return [_finish_on_sqlite(connection, ending) or _find_finished(connection, ending) for ending in endings]
    # One order for everybody: two transactions that write the same rows wait for each other, not in a circle.
    ordered = sorted(endings, key=lambda ending: ending.claim.id)
    rows = connection.execute(statements.FINISH_ARRAYS, _arrays(ordered))
    ended_at = {row.id: row.finished_at for row in rows}
    return [
        _ended(ending, ended_at[ending.claim.id]) if ending.claim.id in ended_at else _find_finished(connection, ending)
        for ending in endings
    ]


def _arrays(endings: Sequence[Ending]) -> dict[str, Any]:
    return {
        "id": [ending.claim.id for ending in endings],
        "token": [ending.claim.lease_token for ending in endings],
        "state": [ending.state.value for ending in endings],
        "error": [_text(error_json(ending.error)) for ending in endings],
        "progress": [None if ending.progress is None else _text(progress_json(ending.progress)) for ending in endings],
        "result": in_rows(endings),
        "digest": [ending.digest for ending in endings],
    }


def _text(value: dict[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _ended(ending: Ending, finished_at: datetime) -> Job:
    """The job as this ending has just left it."""
    began = ending.claim.job
    return replace(
        began,
        state=ending.state,
        finished_at=finished_at,
        result=ending.result,
        error=ending.error,
        progress=began.progress if ending.progress is None else ending.progress,
    )


def _finish_on_sqlite(connection: sa.Connection, ending: Ending) -> Job | None:
    statement = statements.finish_on_sqlite(has_progress=ending.progress is not None)
    parameters: dict[str, Any] = {
        "job_id": ending.claim.id,
        "token": ending.claim.lease_token,
        "final_state": ending.state.value,
        "why": error_json(ending.error),
    }
    if ending.progress is not None:
        parameters["reported"] = progress_json(ending.progress)
    row = connection.execute(statement, parameters).one_or_none()
    if row is None:
        return None
    if ending.result is not None:
        (result,) = in_rows([ending])
        kept = {"job_id": ending.claim.id, "attempt": row.attempt, "result": result, "digest": ending.digest}
        connection.execute(statements.INSERT_RESULT, kept)
    return job_of(row, ending.result)


def _find_finished(connection: sa.Connection, ending: Ending) -> Job | None:
    query = statements.with_result().where(
        jobs.c.id == ending.claim.id,
        jobs.c.lease_token == ending.claim.lease_token,
        jobs.c.finished_at.is_not(None),
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else job_with_result_of(row)
