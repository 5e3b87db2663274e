"""The report of a replay: three paragraphs built from its numbers, and two tables. Markdown, readable as plain text."""

from collections import Counter

from mlp.client import DriftWindow, FeatureDrift, QualityWindow
from mlp.demo import wording
from mlp.demo.findings import Findings
from mlp.demo.options import TRAINING_ENDS

_FEATURES_IN_TABLE = 8


def write_report(findings: Findings) -> str:
    """The report as Markdown, without its picture."""
    period = findings.period
    parts = [
        f"# Flights from New York, {wording.day(period.first_day)} to {wording.day(period.last_day)}",
        what_happened(findings),
        how_well(findings),
        what_changed(findings),
        "## Quality, by the labels that arrived",
        _quality_table(findings),
        _quality_note(findings),
        "## Drift against the training rows of January and February",
        _drift_table(findings),
        "In bold: beyond the threshold, which stands in brackets.",
    ]
    return "\n\n".join(parts) + "\n"


def what_happened(findings: Findings) -> str:
    """Traffic and labels in words."""
    never = findings.flights - findings.landed
    p50, p95 = findings.latency_quantile(0.5), findings.latency_quantile(0.95)
    text = (
        f"A model that had learned from {wording.count(findings.trained_rows)} flights of January and February was "
        f"asked about each of the {wording.count(findings.flights)} flights that were to leave from "
        f"{wording.day(findings.period.first_day)} to {wording.day(findings.period.last_day)}: one request a flight, "
        "in the order of scheduled departure, with what was known at that moment. "
        f"That took {wording.duration(findings.replay_seconds)}, "
        f"{findings.flights / findings.replay_seconds:,.0f} requests a second with {findings.requests_in_flight} at a "
        f"time; half of them were answered within {wording.milliseconds(p50)}, 95 % within "
        f"{wording.milliseconds(p95)}. {wording.count(findings.landed)} flights landed, and the label of each was sent "
        f"when simulated time reached its arrival; {wording.count(never)} were cancelled or diverted and never get one."
    )
    if findings.labels_parked:
        text += (
            f" {wording.count(findings.labels_parked)} labels overtook the record of their prediction on its way to "
            "the database, were kept, and found it there."
        )
    return text


def how_well(findings: Findings) -> str:
    """Quality in words: the best window, the worst, and whether they differ by more than chance."""
    scored = findings.scored_windows
    if not scored:
        return "There are too few labels to say how good the model was: replay more days."
    meaning = "AUC is the chance that a late flight gets a higher score than a punctual one; guessing gives 0.5. "
    if findings.period.first_day <= TRAINING_ENDS:
        meaning += "These are flights that the model has learned from, so that it looks better than it is. "
    best = max(scored, key=_auc)
    worst = min(scored, key=_auc)
    if best is worst:
        return f"{meaning}It was {_auc_words(best)} {_during(findings, best)}."
    is_chance = (
        "The intervals do not touch, so this is more than chance."
        if _is_apart(best, worst)
        else "The intervals overlap, so this may be chance."
    )
    late = [window.scores.get("base_rate") or 0.0 for window in scored]
    return (
        f"{meaning}It was highest {_during(findings, best)} with {_auc_words(best)} and lowest "
        f"{_during(findings, worst)} with {_auc_words(worst)}. {is_chance} Late were {wording.percent(min(late))} to "
        f"{wording.percent(max(late))} of the flights, depending on the {findings.quality.by}."
    )


def what_changed(findings: Findings) -> str:
    """Drift in words: which inputs moved, how often, and what that means for the model."""
    windows, by = findings.drift.windows, findings.drift.by
    if not windows:
        return "Nothing is known of drift: no rows were counted."
    times = Counter(name for window in windows for name in window.drifted)
    if not times:
        return (
            "No input has moved beyond its threshold: the flights replayed look like those that the model learned from."
        )
    moved = [f"{_code(name)} ({often} of {len(windows)} {by}s)" for name, often in times.most_common()]
    farthest = max(windows, key=lambda window: _ratio(window.features[0]))
    strongest = farthest.features[0]
    return (
        "The inputs are no longer those of January and February. Beyond their thresholds were "
        f"{wording.listed(moved)}. Farthest was {_code(strongest.feature)} {wording.during(farthest.start, by)}, at "
        f"{strongest.distance or 0.0:.2f} where {strongest.threshold:.2f} is the threshold. The model is asked about "
        "flights unlike those that it learned from; what that costs is for the labels to say, in the table of quality."
    )


def _quality_table(findings: Findings) -> str:
    head = [findings.quality.by, "predictions", "labelled", "coverage", "AUC", "95 % interval", "late", "mean score"]
    rows = [
        [
            _name(findings, window),
            wording.count(window.predictions),
            wording.count(window.labelled),
            wording.percent(window.coverage),
            wording.score(window.scores.get("auc")),
            wording.interval(window.intervals.get("auc")),
            wording.percent(window.scores.get("base_rate")),
            wording.percent(window.scores.get("mean_score")),
        ]
        for window in findings.quality.windows
    ]
    return _markdown_table(head, rows)


def _quality_note(findings: Findings) -> str:
    windows = {window.start: window for window in findings.scored_windows}
    gaps = [abs(_auc(windows[start]) - auc) for start, auc in findings.recomputed.items() if start in windows]
    inside = sum(window.predictions for window in findings.quality.windows)
    note = "Windows are days and months in UTC."
    if inside < findings.flights:
        note += f" {wording.count(findings.flights - inside)} flights of the last evening left after midnight there."
    if gaps:
        note += (
            " AUC computed again from the answers as they came, without the server's records, differs by at most "
            f"{max(gaps):.4f}."
        )
    return note


def _drift_table(findings: Findings) -> str:
    windows = findings.drift.windows
    names = strongest_features(windows, _FEATURES_IN_TABLE)
    measures = {item.feature: item.measure for window in windows for item in window.features}
    head = ["input", "measure", *(wording.window_name(window.start, findings.drift.by) for window in windows)]
    rows = [[_code(name), measures[name].upper(), *(_drift_cell(window, name) for window in windows)] for name in names]
    counts = ["beyond the threshold", "", *(f"{len(window.drifted)} of {len(window.features)}" for window in windows)]
    return _markdown_table(head, [*rows, counts])


def strongest_features(windows: list[DriftWindow], features_max: int) -> list[str]:
    """The features that came closest to their threshold or went farthest beyond, the strongest first."""
    ratios: dict[str, float] = {}
    for window in windows:
        for item in window.features:
            ratios[item.feature] = max(ratios.get(item.feature, 0.0), _ratio(item))
    return sorted(ratios, key=lambda name: -ratios[name])[:features_max]


def _drift_cell(window: DriftWindow, name: str) -> str:
    found = [item for item in window.features if item.feature == name]
    if not found or found[0].distance is None:
        return wording.NOTHING
    text = f"{found[0].distance:.2f} ({found[0].threshold:.2f})"
    return f"**{text}**" if found[0].is_drifted else text


def _markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """A table whose columns are padded, so that it reads well without being rendered."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    aligned = [
        [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in [head, *rows]
    ]
    rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [aligned[0], rule, *aligned[1:]])


def _ratio(item: FeatureDrift) -> float:
    """Distance in thresholds, so that two measures can be compared."""
    return (item.distance or 0.0) / item.threshold


def _during(findings: Findings, window: QualityWindow) -> str:
    return wording.during(window.start, findings.quality.by)


def _name(findings: Findings, window: QualityWindow) -> str:
    return wording.window_name(window.start, findings.quality.by)


def _auc(window: QualityWindow) -> float:
    return window.scores.get("auc") or 0.0


def _auc_words(window: QualityWindow) -> str:
    bounds = window.intervals.get("auc")
    return f"{_auc(window):.3f}" + ("" if bounds is None else f" ({wording.interval(bounds)})")


def _is_apart(first: QualityWindow, second: QualityWindow) -> bool:
    """Whether the 95 % intervals of two windows have nothing in common."""
    bounds = [first.intervals.get("auc"), second.intervals.get("auc")]
    (low, _), (_, high) = (pair if pair is not None else (None, None) for pair in bounds)
    return low is not None and high is not None and low > high


def _code(name: str) -> str:
    return f"`{name}`"
