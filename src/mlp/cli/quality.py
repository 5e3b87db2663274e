"""``mlp quality`` and ``mlp drift``: what monitoring knows of a model, as tables over time."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mlp.cli.arguments import ModelArgument
from mlp.cli.output import Column, Output, count, decimal, listed, number, percent, span
from mlp.cli.session import Session

if TYPE_CHECKING:
    from mlp.client.reports import Drift, FeatureDrift, Quality, QualityWindow

#: Scores in the order of their worth; as many of those that the windows have as fit into 80 columns.
_SCORES = ("auc", "accuracy", "log_loss", "brier", "mae", "rmse", "r2", "bias")
SCORES_SHOWN = 3
#: Windows that stand side by side in the table of features: the last ones, as many as fit.
WINDOWS_SHOWN = 5


class Period(StrEnum):
    """Length of a window."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


ByOption = Annotated[Period, typer.Option(help="Length of a window.")]
SinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Predictions from then on: 2026-03-01T00:00:00Z.", show_default=False)
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Predictions before then.", show_default=False)]


def quality(
    session: Session,
    name: ModelArgument,
    by: ByOption = Period.MONTH,
    since: SinceOption = None,
    until: UntilOption = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only labels that were known then.", show_default=False)
    ] = None,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Only predictions of this version.", show_default=False)
    ] = None,
) -> None:
    """Show how good a model's predictions were over time.

    Scores come from the labels that are known: coverage is their share, and the interval covers 95%.
    """
    with session.client() as client:
        found = client.quality(name, by=by.value, since=since, until=until, as_of=as_of, version=version)
    if session.output.is_json:
        session.output.json(found)
    else:
        print_quality(session.output, found)


def drift(
    session: Session,
    name: ModelArgument,
    by: ByOption = Period.MONTH,
    since: SinceOption = None,
    until: UntilOption = None,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Of this version, else the champion.", show_default=False)
    ] = None,
    features: Annotated[int, typer.Option(metavar="COUNT", help="Features in the second table.", min=1)] = 10,
) -> None:
    """Show how far inputs have moved from the training rows.

    First what drifted in which window, then the features that moved most.
    """
    with session.client() as client:
        found = client.drift(name, by=by.value, since=since, until=until, version=version)
    if session.output.is_json:
        session.output.json(found)
    else:
        print_drift(session.output, found, features)


def window_name(start: datetime, by: str) -> str:
    """A window as a table calls it: ``2013-03`` for a month, its first day for others."""
    return f"{start:%Y-%m}" if by == "month" else f"{start:%Y-%m-%d}"


def print_quality(output: Output, quality: "Quality") -> None:
    """One line for each window, with the scores that this kind of model has."""
    if not quality.windows:
        output.note(f"{quality.model} has no recorded predictions in this time")
        return
    present = {name for window in quality.windows for name, value in window.scores.items() if value is not None}
    scores = [name for name in _SCORES if name in present][:SCORES_SHOWN]
    columns = [Column("window"), number("predictions"), number("coverage")]
    for index, name in enumerate(scores):
        columns.append(number(name.replace("_", " ")))
        if index == 0:
            columns.append(number("95% interval"))
    output.table(columns, [_quality_cells(window, quality.by, scores) for window in quality.windows])
    if not present:
        output.line("There are too few labels for a score: mlp feedback sends them.")
    if not all(window.is_mature for window in quality.windows):
        output.line(f"+ labels may still come: they count as complete after {span(quality.label_horizon_seconds)}")


def _quality_cells(window: "QualityWindow", by: str, scores: Sequence[str]) -> list[str]:
    # The mark stands on every line, so that the names stay below each other.
    cells = [window_name(window.start, by) + (" " if window.is_mature else "+")]
    cells += [count(window.predictions), percent(window.coverage)]
    for index, name in enumerate(scores):
        cells.append(decimal(window.scores.get(name)))
        if index == 0:
            interval = window.intervals.get(name)
            cells.append("-" if interval is None else f"{decimal(interval[0], 3)} - {decimal(interval[1], 3)}")
    return cells


def print_drift(output: Output, drift: "Drift", features_shown: int) -> None:
    """One line for each window with what drifted in it, then the features that moved most."""
    if drift.reference is None:
        output.line(f"version {drift.version} of {drift.model} has no reference rows to measure drift against:")
        output.line(f"mlp models add {drift.model} PATH --reference FILE registers one that has")
        return
    if not drift.windows:
        output.note(f"{drift.model} has no recorded predictions in this time")
        return
    output.line(
        f"{drift.model} version {drift.version} against {count(drift.reference.rows)} rows of {drift.reference.source}"
    )
    output.line()
    rows = [
        (
            window_name(window.start, drift.by),
            count(window.rows),
            f"{len(window.drifted)} of {len(window.features)}",
            listed(window.drifted),
        )
        for window in drift.windows
    ]
    output.table([Column("window"), number("rows"), number("drifted"), Column("features", is_folded=True)], rows)
    output.line()
    _print_features(output, drift, features_shown)


def _print_features(output: Output, drift: "Drift", features_shown: int) -> None:
    windows = drift.windows[-WINDOWS_SHOWN:]
    by_window = [{each.feature: each for each in window.features} for window in windows]
    names = {name for features in by_window for name in features}
    ranked = sorted(names, key=lambda name: (-max(_reach(features.get(name)) for features in by_window), name))
    rows = []
    for name in ranked[:features_shown]:
        known = next(features[name] for features in by_window if name in features)
        cells = [_distance(features.get(name)) for features in by_window]
        rows.append([name, known.measure, decimal(known.threshold, 2), *cells])
    columns = [Column("feature", is_folded=True), Column("measure"), number("threshold")]
    # The marks behind the numbers take a place in the title too, so that both end below each other.
    output.table([*columns, *(number(f"{window_name(window.start, drift.by)} ") for window in windows)], rows)
    output.line("* beyond the threshold")


def _reach(feature: "FeatureDrift | None") -> float:
    """Distance in units of the threshold, by which features of several measures compare."""
    if feature is None or feature.distance is None:
        return -1.0
    return feature.distance / feature.threshold


def _distance(feature: "FeatureDrift | None") -> str:
    if feature is None or feature.distance is None:
        return "- "
    return f"{feature.distance:.3f}{'*' if feature.is_drifted else ' '}"
