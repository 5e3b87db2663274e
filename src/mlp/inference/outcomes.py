"""What other domains may know and change of recorded inferences: targets of labels, labels, and scores beside them.

The one place where feedback and monitoring touch the tables of inferences; SQL, like a store.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mlp.inference.tables import inferences

#: Values in one IN list: SQLite takes 32,766 variables, PostgreSQL 65,535.
_VALUES_PER_QUERY = 1_000


@dataclass(frozen=True, slots=True)
class Target:
    """A recorded row that a label may belong to, with the label it has."""

    id: str
    row: int
    key: str | None
    at: datetime
    label: Any
    label_at: datetime | None


@dataclass(frozen=True, slots=True)
class WindowOutcomes:
    """What was predicted in a window, and what is known of it; one entry per labelled row, in no order.

    Attributes:
        predictions: All answered rows of the window.
        last_at: When the last of them happened.
        scores: float64 [labelled], NaN where a row has none.
        delay_seconds: float64 [labelled], from the predicted event to its label's time.
    """

    predictions: int
    last_at: datetime
    scores: NDArray[np.float64]
    predicted: list[Any]
    labels: list[Any]
    delay_seconds: NDArray[np.float64]


_TARGET = (
    inferences.c.id,
    inferences.c.row,
    inferences.c.key,
    inferences.c.at,
    inferences.c.label,
    inferences.c.label_at,
)
_IS_ANSWER = inferences.c.role != "shadow"


def targets_by_id(connection: sa.Connection, model: str, inference_ids: Sequence[str]) -> dict[tuple[str, int], Target]:
    """Recorded rows of a model with these ids, by id and row."""
    found: dict[tuple[str, int], Target] = {}
    for part in _parts(inference_ids):
        query = sa.select(*_TARGET).where(inferences.c.id.in_(part), inferences.c.model == model, _IS_ANSWER)
        for row in connection.execute(query):
            found[row.id, row.row] = Target(*row)
    return found


def targets_by_key(connection: sa.Connection, model: str, keys: Sequence[str]) -> dict[str, list[Target]]:
    """Recorded rows of a model with these keys, by key, oldest first."""
    found: dict[str, list[Target]] = defaultdict(list)
    for part in _parts(keys):
        query = (
            sa.select(*_TARGET)
            .where(inferences.c.model == model, inferences.c.key.in_(part), _IS_ANSWER)
            .order_by(inferences.c.at, inferences.c.id)
        )
        for row in connection.execute(query):
            found[row.key].append(Target(*row))
    return found


_SET_LABEL = (
    inferences.update()
    .where(inferences.c.id == sa.bindparam("of_id"), inferences.c.row == sa.bindparam("of_row"))
    .values(label=sa.bindparam("new_label"), label_at=sa.bindparam("new_label_at"))
)


def set_labels(connection: sa.Connection, labels: Sequence[tuple[str, int, Any, datetime]]) -> None:
    """Give rows, named by id and row, their label and its time; a shadow's row of the same request gets it too."""
    if not labels:
        return
    connection.execute(
        _SET_LABEL,
        [
            {"of_id": inference_id, "of_row": row, "new_label": label, "new_label_at": label_at}
            for inference_id, row, label, label_at in labels
        ],
    )


def count_labelled(connection: sa.Connection, model: str) -> tuple[int, int]:
    """Answered rows of a model on record, and those of them that have a label."""
    query = sa.select(sa.func.count(), sa.func.count(inferences.c.label_at)).where(
        inferences.c.model == model, _IS_ANSWER
    )
    total, labelled = connection.execute(query).one()
    return total, labelled


def span(connection: sa.Connection, model: str, version: int | None) -> tuple[datetime, datetime] | None:
    """Event times of the first and the last answered row of a model; None where there is none."""
    query = sa.select(
        sa.func.min(inferences.c.at, type_=inferences.c.at.type),
        sa.func.max(inferences.c.at, type_=inferences.c.at.type),
    ).where(*_conditions(model, version))
    first, last = connection.execute(query).one()
    return None if first is None else (first, last)


def read_window(
    connection: sa.Connection, model: str, since: datetime, until: datetime, version: int | None, as_of: datetime
) -> WindowOutcomes | None:
    """The rows whose event lies in [since, until), with the labels whose time is not after ``as_of``.

    A version's shadow answers count for that version. None where nothing was predicted.
    """
    here = [*_conditions(model, version), inferences.c.at >= since, inferences.c.at < until]
    last_at = sa.func.max(inferences.c.at, type_=inferences.c.at.type)
    predictions, last = connection.execute(sa.select(sa.func.count(), last_at).where(*here)).one()
    if predictions == 0:
        return None
    # Labels are few different values among many rows: their JSON is decoded once each, not once a row.
    raw = (sa.type_coerce(column, sa.types.NullType()) for column in (inferences.c.predicted, inferences.c.label))
    query = sa.select(inferences.c.score, *raw, _delay_seconds(connection)).where(*here, inferences.c.label_at <= as_of)
    rows = connection.execute(query).fetchall()
    scores, predicted, labels, delays = zip(*rows, strict=True) if rows else ((), (), (), ())
    return WindowOutcomes(
        predictions=predictions,
        last_at=last,
        scores=np.array(scores, dtype=np.float64),
        predicted=_decoded(connection, predicted),
        labels=_decoded(connection, labels),
        delay_seconds=np.array(delays, dtype=np.float64),
    )


def _delay_seconds(connection: sa.Connection) -> sa.ColumnElement[float]:
    if connection.dialect.name == "sqlite":
        days = sa.func.julianday(inferences.c.label_at) - sa.func.julianday(inferences.c.at)
        return sa.type_coerce(days * 86_400.0, sa.Float())
    return sa.cast(sa.func.extract("epoch", inferences.c.label_at - inferences.c.at), sa.Float())


def _decoded(connection: sa.Connection, values: Sequence[Any]) -> list[Any]:
    """The values of a JSON column: SQLite hands out text, PostgreSQL's driver has decoded it already."""
    if connection.dialect.name != "sqlite":
        return list(values)
    known = {text: msgspec.json.decode(text) for text in set(values)}
    return [known[text] for text in values]


def _conditions(model: str, version: int | None) -> list[sa.ColumnElement[bool]]:
    of_model = inferences.c.model == model
    return [of_model, _IS_ANSWER] if version is None else [of_model, inferences.c.version == version]


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _VALUES_PER_QUERY):
        yield values[start : start + _VALUES_PER_QUERY]
