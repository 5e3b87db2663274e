"""The rows of workers: each writes its own every few seconds, by the database's clock."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mlp.jobs.statements import moment_in
from mlp.jobs.tables import workers
from mlp.storage.database import UTCDateTime, upsert


def write_worker(connection: sa.Connection, worker: Mapping[str, Any]) -> bool:
    """Writes the columns of a worker as seen now; whether an operator wants it drained."""
    statement = upsert(connection, workers).values({**worker, "seen_at": moment_in(connection), "is_draining": False})
    news = {name: statement.excluded[name] for name in (*worker, "seen_at") if name != "id"}
    written = statement.on_conflict_do_update(index_elements=["id"], set_=news).returning(workers.c.is_draining)
    is_draining: bool = connection.execute(written).scalar_one()
    return is_draining


def set_state(connection: sa.Connection, worker_id: str, state: str) -> None:
    """Writes a worker's last word; does nothing if it is not known."""
    statement = sa.update(workers).where(workers.c.id == worker_id)
    connection.execute(statement.values(state=state, seen_at=moment_in(connection)))


def set_draining(connection: sa.Connection, worker_id: str, is_draining: bool) -> bool:
    """Writes an operator's wish; False if the worker is not known."""
    statement = sa.update(workers).where(workers.c.id == worker_id).values(is_draining=is_draining)
    return connection.execute(statement).rowcount == 1


def list_workers(connection: sa.Connection, worker_id: str | None = None) -> Sequence[Any]:
    """The rows with ``read_at``, the moment they were read by the clock that wrote them; the newest workers first."""
    read_at = sa.type_coerce(moment_in(connection), UTCDateTime()).label("read_at")
    query = sa.select(workers, read_at).order_by(workers.c.started_at.desc(), workers.c.id)
    if worker_id is not None:
        query = query.where(workers.c.id == worker_id)
    return connection.execute(query).all()


def delete_silent(connection: sa.Connection, older_than_seconds: float) -> int:
    """How many workers were deleted that have not been heard of for so long."""
    statement = sa.delete(workers).where(workers.c.seen_at < moment_in(connection, -older_than_seconds))
    return connection.execute(statement).rowcount
