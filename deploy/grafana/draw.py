"""Draws each dashboard as a PNG from the answers that check_panels.py kept: ``python -m deploy.grafana.draw FILE``.

The pictures are for the documentation, where no Grafana runs; each says that it is not Grafana's own drawing. Needs
matplotlib.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __package__ in (None, ""):  # called by its path: let the imports below find the repository's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.grafana.build import FOLDER
from deploy.grafana.builder.elements import GRID_COLUMNS
from deploy.grafana.definitions import DASHBOARDS
from deploy.grafana.drawing.panels import FAINT, FRAME, TEXT, DrawnPanel, draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTICE = "drawn from the dashboard's queries by MLP, not by Grafana"
_WIDTH_INCHES = 14.0
_LINE_INCHES = 0.33  # one line of the grid
_HEAD_INCHES = 0.75
_GAP_INCHES = 0.06
_DOTS_PER_INCH = 90
#: Flat colours: a palette keeps a picture at a third of its size.
_COLOURS_MAX = 96

Results = Mapping[str, Any]


def draw_dashboard(document: Mapping[str, Any], results: Results) -> bytes:
    """The dashboard as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    panels = document["panels"]
    lines = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    height = _HEAD_INCHES + lines * _LINE_INCHES
    figure = Figure(figsize=(_WIDTH_INCHES, height), facecolor="white")
    FigureCanvasAgg(figure)
    _head(figure, document, results, height)
    for panel in panels:
        _place(figure, panel, results, document["uid"], height)
    raw, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, dpi=_DOTS_PER_INCH, format="png")
    with Image.open(raw) as image:
        image.convert("RGB").quantize(_COLOURS_MAX, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _head(figure: "Figure", document: Mapping[str, Any], results: Results, height: float) -> None:
    y = 1 - 0.26 / height
    figure.text(0.008, y, document["title"], fontsize=15, fontweight="bold", color=TEXT, va="center")
    since, until = (results[name][:16].replace("T", " ") for name in ("since", "until"))
    figure.text(0.992, y, f"{since} to {until} UTC", fontsize=9, color=FAINT, va="center", ha="right")
    figure.text(0.992, 1 - 0.55 / height, NOTICE, fontsize=9, color=TEXT, va="center", ha="right", style="italic")
    figure.text(0.008, 1 - 0.55 / height, document["description"], fontsize=9, color=FAINT, va="center")


def _place(figure: "Figure", panel: Mapping[str, Any], results: Results, uid: str, height: float) -> None:
    from matplotlib.patches import Rectangle

    at = panel["gridPos"]
    left, width = at["x"] / GRID_COLUMNS, at["w"] / GRID_COLUMNS
    bottom = 1 - (_HEAD_INCHES + (at["y"] + at["h"]) * _LINE_INCHES) / height
    tall = at["h"] * _LINE_INCHES / height
    if panel["type"] == "row":
        figure.text(
            left + 0.008, bottom + tall / 2, panel["title"], fontsize=11, color=TEXT, va="center", weight="bold"
        )
        return
    across, down = _GAP_INCHES / _WIDTH_INCHES, _GAP_INCHES / height
    place = (left + across, bottom + down)
    frame = Rectangle(place, width - 2 * across, tall - 2 * down, transform=figure.transFigure, fill=False, ec=FRAME)
    figure.add_artist(frame)
    title_y = bottom + tall - 0.17 / height
    title = panel["title"] + (f" (last {panel['timeFrom']})" if "timeFrom" in panel else "")
    figure.text(left + 2.2 * across, title_y, title, fontsize=8.5, color=TEXT, va="center", fontweight="bold")
    legend_inches = 0.72 if panel["type"] == "timeseries" else 0.12
    margin = 0.75 if panel["type"] == "timeseries" else 0.15
    axes = figure.add_axes(
        (
            left + margin / _WIDTH_INCHES,
            bottom + legend_inches / height,
            width - (margin + 0.2) / _WIDTH_INCHES,
            tall - (legend_inches + 0.36) / height,
        )
    )
    draw(_drawn(panel, results, uid), axes)


def _drawn(panel: Mapping[str, Any], results: Results, uid: str) -> DrawnPanel:
    asked = [each for each in results["queries"] if (each["dashboard"], each["panel"]) == (uid, panel["id"])]
    notes = [each["answer"]["error"] or each["reason"] for each in asked]
    no_value = panel["fieldConfig"]["defaults"]["noValue"]
    left_out = [each["reason"] for each in asked if each["verdict"] == "left out"]
    return DrawnPanel(
        panel,
        [(line["name"], line["points"]) for each in asked for line in each["answer"]["lines"]],
        next((each["answer"]["columns"] for each in asked if each["answer"]["columns"]), []),
        [row for each in asked for row in each["answer"]["rows"]],
        left_out[0] if left_out else no_value if no_value != "nothing" else next(filter(None, notes), no_value),
    )


def pictures(results: Results) -> Iterator[tuple[str, bytes]]:
    """The name of a file and its content, for each dashboard that was checked."""
    checked = {each["dashboard"] for each in results["queries"]}
    for dashboard in DASHBOARDS:
        if dashboard.uid in checked:
            document = json.loads((FOLDER / f"{dashboard.uid}.json").read_text("utf-8"))
            yield f"dashboard-{dashboard.uid}.png", draw_dashboard(document, results)


def main(arguments: Sequence[str]) -> int:
    """Write the pictures; the exit code."""
    parser = argparse.ArgumentParser(prog="draw.py", description=__doc__)
    parser.add_argument("results", help="what check_panels.py --results wrote; - is the standard input")
    parser.add_argument("--folder", type=Path, default=Path("docs/source/components"), help="where the pictures go")
    options = parser.parse_args(arguments)
    text = sys.stdin.read() if options.results == "-" else Path(options.results).read_text("utf-8")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, content in pictures(json.loads(text)):
        (options.folder / name).write_bytes(content)
        sys.stdout.write(f"written: {name}, {len(content) / 1000:.0f} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
