"""Quality of a model over time, from recorded scores and the labels that have come in: windows, coverage, intervals.

A window is mature when every prediction in it is older than the model's label horizon; before that its numbers
still move, since quick labels are not a fair sample of all labels.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import sqlalchemy as sa

from mlp.inference import outcomes
from mlp.inference.outcomes import Outcome
from mlp.monitoring.intervals import Intervals, binary_intervals, multiclass_intervals, regression_intervals
from mlp.monitoring.schemas import Quality, QualityWindow
from mlp.monitoring.scores import Scores, binary_scores, multiclass_scores, regression_scores
from mlp.monitoring.windows import Window, WindowLength, choose_by, window_of
from mlp.registry.snapshot import Resolution
from mlp.signature import Signature, Task

#: Labels below which a window shows no scores: an AUC of a handful of rows says nothing.
LABELS_MIN = 10


def measure_quality(
    connection: sa.Connection,
    resolved: Resolution,
    version: int | None,
    *,
    horizon_seconds: float,
    by: WindowLength | None,
    since: datetime | None,
    until: datetime | None,
    as_of: datetime,
) -> Quality:
    """Quality by calendar windows of event time.

    Args:
        resolved: The model; its task and classes are those of this version.
        version: Only rows that this version answered (shadows included); None: whatever answered.
        by: Length of the windows; None: what suits the span.
        as_of: Predictions and labels that came about later are not known.
    """
    span = outcomes.span(connection, resolved.model, version)
    first, last = (as_of, as_of) if span is None else span
    start = first if since is None else max(first, since)
    end = min(as_of, last + timedelta(microseconds=1) if until is None else until)
    length = choose_by(end - start) if by is None else by
    rows = outcomes.read_outcomes(connection, resolved.model, start, end, version)
    horizon = timedelta(seconds=horizon_seconds)
    return Quality(
        model=resolved.model,
        version=None if version is None else str(version),
        task=resolved.signature.task.value,
        by=length.value,
        as_of=as_of,
        label_horizon_seconds=horizon_seconds,
        windows=[
            _window(window, list(members), resolved.signature, as_of, horizon)
            for window, members in _grouped(rows, length)
        ],
    )


def _grouped(rows: Iterable[Outcome], by: WindowLength) -> Iterator[tuple[Window, Iterator[Outcome]]]:
    return groupby(rows, key=lambda row: window_of(row.at, by))


def _window(
    window: Window, rows: Sequence[Outcome], signature: Signature, as_of: datetime, horizon: timedelta
) -> QualityWindow:
    known = [row for row in rows if row.label_at is not None and row.label_at <= as_of]
    delays = sorted((row.label_at - row.at).total_seconds() for row in known if row.label_at is not None)
    scores, intervals = _measured(known, signature) if len(known) >= LABELS_MIN else ({}, {})
    return QualityWindow(
        start=window.start,
        end=window.end,
        predictions=len(rows),
        labelled=len(known),
        coverage=len(known) / len(rows),
        is_mature=rows[-1].at + horizon <= as_of,
        label_delay_p50_seconds=delays[len(delays) // 2] if delays else None,
        scores=scores,
        intervals=intervals,
    )


def _measured(known: Sequence[Outcome], signature: Signature) -> tuple[Scores, Intervals]:
    if signature.task is Task.REGRESSION:
        truth, predicted = _numbers([row.label for row in known]), _numbers([row.score for row in known])
        return regression_scores(truth, predicted), regression_intervals(truth, predicted)
    if signature.task is not Task.CLASSIFICATION or signature.classes is None:
        return {}, {}
    column = signature.score_column
    if column is not None and all(row.score is not None for row in known):
        positive = signature.classes[column]
        truth_flags = np.array([row.label == positive for row in known])
        predicted_flags = np.array([row.predicted == positive for row in known])
        scores = _numbers([row.score for row in known])
        return (
            binary_scores(truth_flags, scores, predicted_flags),
            binary_intervals(truth_flags, scores, predicted_flags),
        )
    places = {label: index for index, label in enumerate(signature.classes)}
    truth_places = _places(places, [row.label for row in known])
    predicted_places = _places(places, [row.predicted for row in known])
    return multiclass_scores(truth_places, predicted_places), multiclass_intervals(truth_places, predicted_places)


def _numbers(values: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _places(places: dict[Any, int], values: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    # A class of another version that this one does not know is a class of its own, behind all others.
    return np.array([places.get(value, len(places)) for value in values], dtype=np.int64)
