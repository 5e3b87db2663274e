"""Quality of a model over time, from recorded scores and the labels that have come in: windows, coverage, intervals.

A window is mature when every prediction in it is older than the model's label horizon; before that its numbers
still move, since quick labels are not a fair sample of all labels.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from mlp.inference import outcomes
from mlp.inference.outcomes import WindowOutcomes
from mlp.monitoring.intervals import Intervals, binary_intervals, multiclass_intervals, regression_intervals
from mlp.monitoring.schemas import Quality, QualityWindow
from mlp.monitoring.scores import Scores, binary_scores, multiclass_scores, regression_scores
from mlp.monitoring.windows import Window, WindowLength, choose_by, window_of, window_starts
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
    horizon = timedelta(seconds=horizon_seconds)
    measured = (
        _window(connection, resolved, version, window_of(moment, length), (start, end), as_of, horizon)
        for moment in window_starts(start, end, length)
    )
    return Quality(
        model=resolved.model,
        version=None if version is None else str(version),
        task=resolved.signature.task.value,
        by=length.value,
        as_of=as_of,
        label_horizon_seconds=horizon_seconds,
        windows=[window for window in measured if window is not None],
    )


def _window(
    connection: sa.Connection,
    resolved: Resolution,
    version: int | None,
    window: Window,
    span: tuple[datetime, datetime],
    as_of: datetime,
    horizon: timedelta,
) -> QualityWindow | None:
    since, until = max(window.start, span[0]), min(window.end, span[1])
    found = outcomes.read_window(connection, resolved.model, since, until, version, as_of)
    if found is None:
        return None
    labelled = len(found.labels)
    scores, intervals = _measured(found, resolved.signature) if labelled >= LABELS_MIN else ({}, {})
    return QualityWindow(
        start=window.start,
        end=window.end,
        predictions=found.predictions,
        labelled=labelled,
        coverage=labelled / found.predictions,
        is_mature=found.last_at + horizon <= as_of,
        label_delay_p50_seconds=float(np.median(found.delay_seconds)) if labelled else None,
        scores=scores,
        intervals=intervals,
    )


def _measured(found: WindowOutcomes, signature: Signature) -> tuple[Scores, Intervals]:
    if signature.task is Task.REGRESSION:
        truth = _numbers(found.labels)
        return regression_scores(truth, found.scores), regression_intervals(truth, found.scores)
    if signature.task is not Task.CLASSIFICATION or signature.classes is None:
        return {}, {}
    column = signature.score_column
    if column is not None and not np.isnan(found.scores).any():
        positive = signature.classes[column]
        truth_flags = np.array([label == positive for label in found.labels])
        predicted_flags = np.array([label == positive for label in found.predicted])
        return (
            binary_scores(truth_flags, found.scores, predicted_flags),
            binary_intervals(truth_flags, found.scores, predicted_flags),
        )
    places = {label: index for index, label in enumerate(signature.classes)}
    truth_places, predicted_places = _places(places, found.labels), _places(places, found.predicted)
    return multiclass_scores(truth_places, predicted_places), multiclass_intervals(truth_places, predicted_places)


def _numbers(values: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _places(places: dict[Any, int], values: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    # A class of another version that this one does not know is a class of its own, behind all others.
    return np.array([places.get(value, len(places)) for value in values], dtype=np.int64)
