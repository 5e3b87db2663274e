"""The report as a picture: AUC with its interval and coverage, the strongest drift, and latency along the replay."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlp.demo import wording
from mlp.demo.findings import Findings
from mlp.demo.report import strongest_features

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE_INCHES = (9.0, 11.0)
_DOTS_PER_INCH = 130
_FEATURES_SHOWN = 8
_BLUE, _ORANGE, _GREY = "#1f5fa8", "#d9822b", "#8a939c"


def draw_report(findings: Findings, path: Path) -> None:
    """Write the picture as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    quality, drift, latency = figure.subplots(3, 1, height_ratios=(1.1, 1.3, 0.9))
    _draw_quality(findings, quality)
    _draw_drift(findings, drift)
    _draw_latency(findings, latency)
    period = findings.period
    figure.suptitle(f"Flights from New York, {wording.day(period.first_day)} to {wording.day(period.last_day)}")
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def _draw_quality(findings: Findings, axes: "Axes") -> None:
    windows = findings.quality.windows
    names = [wording.window_name(window.start, findings.quality.by) for window in windows]
    places = np.arange(len(windows))
    coverage = axes.twinx()
    coverage.bar(places, [100 * (window.coverage or 0.0) for window in windows], color=_GREY, alpha=0.25, width=0.6)
    coverage.set_ylim(0, 100)
    coverage.set_ylabel("predictions with a label, %", color=_GREY)
    for place, window in zip(places, windows, strict=True):
        auc, bounds = window.scores.get("auc"), window.intervals.get("auc")
        if auc is None:
            continue
        low, high = (None, None) if bounds is None else bounds
        error = None if low is None or high is None else [[auc - low], [high - auc]]
        axes.errorbar([place], [auc], yerr=error, fmt="o", color=_BLUE, capsize=5)
        axes.annotate(f"{auc:.3f}", (place, auc), xytext=(10, -4), textcoords="offset points", color=_BLUE)
    axes.axhline(0.5, color=_GREY, linestyle=":", linewidth=1)
    axes.set_ylim(min(0.45, axes.get_ylim()[0]), max(0.85, axes.get_ylim()[1]))
    axes.set_ylabel("AUC", color=_BLUE)
    axes.set_xticks(places, names, rotation=0 if len(names) <= 10 else 45)
    axes.set_title("Quality, with 95 % interval (0.5 is guessing), and coverage of the labels", fontsize=10, loc="left")
    # Points above bars; matplotlib draws the second axes last unless told so.
    axes.set_zorder(coverage.get_zorder() + 1)
    axes.patch.set_visible(False)


def _draw_drift(findings: Findings, axes: "Axes") -> None:
    windows = findings.drift.windows
    names = strongest_features(windows, _FEATURES_SHOWN)[::-1]
    height = 0.8 / max(len(windows), 1)
    for position, window in enumerate(windows):
        ratios = {item.feature: (item.distance or 0.0) / item.threshold for item in window.features}
        places = np.arange(len(names)) + (len(windows) / 2 - position - 0.5) * height
        shade = 0.35 + 0.65 * (position + 1) / len(windows)
        label = wording.window_name(window.start, findings.drift.by)
        axes.barh(
            places, [ratios.get(name, 0.0) for name in names], height=height, color=_ORANGE, alpha=shade, label=label
        )
    axes.axvline(1.0, color=_GREY, linestyle="--", linewidth=1)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_xlabel("distance from January and February, in thresholds")
    axes.set_title("Drift of the strongest inputs", fontsize=10, loc="left")
    if windows:
        axes.legend(fontsize=8, ncols=1 + len(windows) // 8, loc="best")


def _draw_latency(findings: Findings, axes: "Axes") -> None:
    days, starts = np.unique(findings.departure_days, return_index=True)
    by_day = np.split(1000 * findings.latency_seconds, starts[1:])
    for share, style in ((0.5, "-"), (0.95, "--")):
        line = [float(np.quantile(latencies, share)) for latencies in by_day]
        axes.plot(days, line, style, color=_BLUE, linewidth=1.3, label=f"p{100 * share:.0f}")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("milliseconds")
    axes.set_title(
        f"Latency seen by the client, {findings.requests_in_flight} requests at a time, by simulated day",
        fontsize=10,
        loc="left",
    )
    axes.legend(fontsize=8)
