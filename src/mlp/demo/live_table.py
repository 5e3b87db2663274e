"""Shows a replay while it runs: a table that stays in its place on a terminal, a line every few seconds on a pipe."""

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mlp.client import Drift, Quality, QualityWindow
from mlp.demo.replay import Progress
from mlp.demo.watch import Known
from mlp.demo.wording import NOTHING, count, interval, milliseconds, new_york_time, percent, score, window_name

_LINE_EVERY_SECONDS = 5.0
_FEATURES_SHOWN = 3


class LiveTable:
    """Takes the progress of a replay and shows it on a console, with what the server's monitor knows.

    Args:
        known: Gives the latest word of the monitor.
    """

    def __init__(self, console: Console, known: Callable[[], Known]) -> None:
        self._console = console
        self._known = known
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._next_line = 0.0

    def __enter__(self) -> "LiveTable":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show where the replay stands; to be called often."""
        if self._live is not None:
            self._live.update(live_view(progress, self._known()), refresh=True)
        elif time.perf_counter() >= self._next_line or progress.answered == progress.flights:
            self._next_line = time.perf_counter() + _LINE_EVERY_SECONDS
            self._console.print(line_of(progress, self._known()))


def live_view(progress: Progress, known: Known) -> RenderableType:
    """The table for a terminal: one line of traffic, a bar, and a row for each window that has begun."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "predictions", "labelled", "AUC", "95 % interval", "late"):
        table.add_column(name, justify="left" if name == "" else "right")
    table.add_column("drift against January and February")
    if known.quality is not None:
        for window in known.quality.windows:
            table.add_row(*_cells(window, known.quality, known.drift))
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=progress.flights, completed=progress.answered, width=60),
        f"AUC so far {score(known.auc_so_far)}",
    )
    return Group(Text(_traffic(progress)), bar, Text(), table)


def line_of(progress: Progress, known: Known) -> str:
    """The line for a pipe: traffic, and the newest window that has an AUC."""
    scored = (
        [window for window in known.quality.windows if window.scores.get("auc") is not None] if known.quality else []
    )
    if not scored or known.quality is None:
        return f"  {_traffic(progress)}"
    name, _, labelled, auc, _, _, drifted = _cells(scored[-1], known.quality, known.drift)
    return (
        f"  {_traffic(progress)} | AUC {score(known.auc_so_far)} so far, {name} {auc} with {labelled} labelled; "
        f"drift: {drifted}"
    )


def _traffic(progress: Progress) -> str:
    return (
        f"{new_york_time(progress.reached)}: {count(progress.answered)} of {count(progress.flights)} flights, "
        f"{progress.requests_per_second:,.0f} a second, p50 {milliseconds(progress.latency_p50_seconds)}, "
        f"p95 {milliseconds(progress.latency_p95_seconds)}, {count(progress.labels_sent)} labels"
    )


def _cells(window: QualityWindow, quality: Quality, drift: Drift | None) -> tuple[str, ...]:
    return (
        window_name(window.start, quality.by),
        count(window.predictions),
        percent(window.coverage),
        score(window.scores.get("auc")),
        interval(window.intervals.get("auc")),
        percent(window.scores.get("base_rate")),
        _drifted(window, drift),
    )


def _drifted(window: QualityWindow, drift: Drift | None) -> str:
    found = [seen for seen in drift.windows if seen.start == window.start] if drift is not None else []
    if not found:
        return NOTHING
    names = list(found[0].drifted)
    if not names:
        return "none"
    more = len(names) - _FEATURES_SHOWN
    return ", ".join(names[:_FEATURES_SHOWN]) + (f" and {more} more" if more > 0 else "")
