"""Draws one panel of each kind into its place: lines, numbers, bars, tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

from deploy.grafana.builder.looks import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from deploy.grafana.drawing.values import moment_text, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT, FAINT, FRAME = "#24292f", "#6e7781", "#d0d7de"
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
_DASHES: tuple[tuple[int, ...], ...] = ((), (12, 6), (4, 4), (16, 4, 4, 4))
_LEGEND_LINES = 3
_ROWS_MAX = 9
_NAME_CHARACTERS = 34


@dataclass(frozen=True, slots=True)
class DrawnPanel:
    """A panel's own document with what its queries gave.

    Attributes:
        lines: (name, points) of all queries.
        note: Shown in place of nothing: why there is none.
    """

    document: Mapping[str, Any]
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str

    @property
    def unit(self) -> str:
        """Grafana's name of it."""
        return str(self.document["fieldConfig"]["defaults"]["unit"])

    @property
    def words(self) -> dict[str, str]:
        """Texts in the place of numbers."""
        mappings = self.document["fieldConfig"]["defaults"]["mappings"]
        return {value: each["text"] for mapping in mappings for value, each in mapping["options"].items()}

    @property
    def series_looks(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Colour and dashes of the series that have looks of their own."""
        found = {}
        for override in self.document["fieldConfig"]["overrides"]:
            properties = {each["id"]: each["value"] for each in override["properties"]}
            if "color" in properties:
                dash = tuple(properties["custom.lineStyle"].get("dash", ()))
                found[override["matcher"]["options"]] = (properties["color"]["fixedColor"], dash)
        return found

    def colour(self, value: float) -> str:
        """By the panel's thresholds."""
        steps = self.document["fieldConfig"]["defaults"]["thresholds"]["steps"]
        return str([step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1])


def draw(panel: DrawnPanel, axes: "Axes") -> None:
    """Draw what the panel shows; its title is the caller's."""
    if not panel.lines and not panel.rows:
        axes.axis("off")
        axes.text(0.5, 0.5, _wrapped(panel.note), ha="center", va="center", color=FAINT, fontsize=8)
        return
    {"timeseries": _lines, "stat": _numbers, "bargauge": _bars, "table": _table}[panel.document["type"]](panel, axes)


def _lines(panel: DrawnPanel, axes: "Axes") -> None:
    looks = cycle((colour, dash) for dash in _DASHES for colour in _COLOURS)
    own = panel.series_looks
    is_sparse = "timeFrom" in panel.document
    is_stacked = panel.document["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    below: dict[float, float] = {}
    # Where the legend cannot name all, it names the greatest.
    is_many = len(panel.lines) > _LEGEND_LINES
    lines = sorted(panel.lines, key=lambda line: -line[1][-1][1]) if is_many else panel.lines
    for name, points in lines:
        colour, dash = own.get(name) or next(looks)
        times, values = [point[0] for point in points], [point[1] for point in points]
        if is_stacked:
            floor = [below.get(time, 0.0) for time in times]
            values = [low + value for low, value in zip(floor, values, strict=True)]
            below |= dict(zip(times, values, strict=True))
            axes.fill_between(times, floor, values, color=colour, alpha=0.25, linewidth=0)
        (line,) = axes.plot(times, values, color=colour, linewidth=1.3, marker="o" if is_sparse else "", markersize=3)
        if dash:
            line.set_dashes([length / 2 for length in dash])
        line.set_label(f"{_short(name)}  {shown(points[-1][1], panel.unit)}")
    _scales(panel, axes)
    _legend(panel, axes)


def _scales(panel: DrawnPanel, axes: "Axes") -> None:
    defaults = panel.document["fieldConfig"]["defaults"]
    low, high = axes.get_ylim()
    if "min" in defaults:
        low = defaults["min"]
        high = high if any(point[1] > low for _name, points in panel.lines for point in points) else low + 1.0
    axes.set_ylim(low, defaults["max"] * 1.04 if "max" in defaults else high + 0.08 * (high - low))
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None and low <= step["value"] <= axes.get_ylim()[1]:
            axes.axhline(step["value"], color=step["color"], linewidth=0.8, linestyle=(0, (4, 3)))
    axes.grid(axis="y", color=FRAME, linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=6.5, labelcolor=FAINT)
    axes.locator_params(nbins=4)
    axes.yaxis.set_major_formatter(lambda value, _at: shown(value, panel.unit))
    left, right = axes.get_xlim()
    axes.xaxis.set_major_formatter(lambda value, _at: moment_text(value, right - left))


def _legend(panel: DrawnPanel, axes: "Axes") -> None:
    handles, names = axes.get_legend_handles_labels()
    width = panel.document["gridPos"]["w"]
    # About 5 letters of this size stand in a column of the grid, and the line's own sample takes 8.
    columns = max(1, min(3, int(width * 5 / (8 + max(len(name) for name in names)))))
    fitting = columns * _LEGEND_LINES
    more = len(names) - fitting
    if more > 0:
        handles, names = handles[:fitting], [*names[: fitting - 1], f"{names[fitting - 1]}  (+{more} more)"]
    axes.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.12),
        ncols=columns,
        fontsize=6.5,
        frameon=False,
        labelcolor=TEXT,
        handlelength=2.4,
        columnspacing=1.2,
    )


def _numbers(panel: DrawnPanel, axes: "Axes") -> None:
    axes.axis("off")
    count = len(panel.lines)
    across = min(count, 3 if panel.document["gridPos"]["w"] < 12 else 7)
    down = -(-count // across)
    for place, (name, points) in enumerate(panel.lines):
        x, y = (place % across + 0.5) / across, 1 - (place // across + 0.5) / down
        value = points[-1][1]
        text = shown(value, panel.unit, panel.words)
        size = 20 if count == 1 else 13
        axes.text(x, y, text, ha="center", va="center", color=panel.colour(value), fontsize=size, fontweight="bold")
        if count > 1:
            axes.text(x, y - 0.2 / down, _short(name, 18), ha="center", va="center", color=FAINT, fontsize=7)
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _bars(panel: DrawnPanel, axes: "Axes") -> None:
    axes.axis("off")
    most = max((points[-1][1] for _name, points in panel.lines), default=1.0) or 1.0
    for place, (name, points) in enumerate(panel.lines[:6]):
        value = points[-1][1]
        axes.barh(-place, value / most, height=0.45, color=panel.colour(value))
        axes.text(0.01, -place + 0.42, _short(name), fontsize=7, color=TEXT, va="center")
        axes.text(1.02, -place, shown(value, panel.unit), fontsize=8, color=TEXT, va="center", fontweight="bold")
    axes.set(xlim=(0, 1.2), ylim=(-max(2, len(panel.lines)) + 0.4, 0.7))


def _table(panel: DrawnPanel, axes: "Axes") -> None:
    axes.axis("off")
    fitting = min(_ROWS_MAX, int(panel.document["gridPos"]["h"] * 1.1))
    rows = [[_cell(panel, name, value) for name, value in zip(panel.columns, row, strict=True)] for row in panel.rows]
    shown_rows = [list(panel.columns), *rows[:fitting]]
    widths = [max(len(row[at]) for row in shown_rows) + 2 for at in range(len(panel.columns))]
    # About 9 letters of this size stand in a column of the grid; the longest cells are cut until all fit.
    total = panel.document["gridPos"]["w"] * 9
    while sum(widths) > total:
        widths[widths.index(max(widths))] -= 1
    for line, row in enumerate(shown_rows):
        for at, text in enumerate(row):
            x, y = sum(widths[:at]) / total, 1 - (line + 0.5) / (fitting + 1)
            colour, weight = (FAINT, "bold") if line == 0 else (TEXT, "normal")
            axes.text(x, y, _short(text, widths[at] - 1), fontsize=7, va="center", color=colour, fontweight=weight)
    if len(rows) > fitting:
        axes.text(1, 0, f"+{len(rows) - fitting} more", ha="right", fontsize=7, color=FAINT)
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _cell(panel: DrawnPanel, column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return shown(value, _column_unit(panel, column))
    return str(value)


def _column_unit(panel: DrawnPanel, column: str) -> str:
    for override in panel.document["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            return str(next((each["value"] for each in override["properties"] if each["id"] == "unit"), panel.unit))
    return panel.unit


def _short(text: str, characters: int = _NAME_CHARACTERS) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def _wrapped(text: str, characters: int = 30) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= characters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
