"""The live table: lines on a pipe, a table on a terminal."""

import io

from rich.console import Console

from mlp.demo.live_table import LiveTable, line_of, live_view
from mlp.demo.replay import Progress
from mlp.demo.watch import Known
from tests.unit.demo.conftest import drift_of, drift_window, moment, quality_of, quality_window

PROGRESS = Progress(
    flights=85_960,
    answered=45_210,
    reached=moment("2013-04-14T13:35:00Z"),
    elapsed_seconds=40.0,
    requests_per_second=1013.4,
    latency_p50_seconds=0.0241,
    latency_p95_seconds=0.0402,
    labels_sent=43_100,
)
TRAFFIC = "14 April 09:35: 45,210 of 85,960 flights, 1,013 a second, p50 24 ms, p95 40 ms, 43,100 labels"
KNOWN = Known(
    quality_of(quality_window(3, 0.705, (0.697, 0.713)), quality_window(4, 0.634, (0.62, 0.65))),
    drift_of(
        drift_window(3),
        drift_window(4, temperature_f=1.4, dew_point_f=0.9, wind_mph=0.5, humidity_percent=0.3, carrier=0.1),
    ),
    auc_so_far=0.671,
)


def shown(known: Known, *, is_terminal: bool, progress: Progress = PROGRESS) -> str:
    written = io.StringIO()
    console = Console(file=written, force_terminal=is_terminal, width=140, height=50, soft_wrap=not is_terminal)
    with LiveTable(console, lambda: known) as table:
        table.show(progress)
    return written.getvalue()


def test_line_before_any_label_tells_of_traffic_alone() -> None:
    assert line_of(PROGRESS, Known()) == f"  {TRAFFIC}"


def test_line_tells_of_the_newest_month_that_has_an_auc() -> None:
    assert line_of(PROGRESS, KNOWN) == (
        f"  {TRAFFIC} | AUC 0.671 so far, April 0.634 with 97.0 % labelled; "
        "drift: temperature_f, dew_point_f, wind_mph and 1 more"
    )


def test_live_table_on_a_pipe_prints_one_line_at_a_time() -> None:
    assert shown(KNOWN, is_terminal=False) == line_of(PROGRESS, KNOWN) + "\n"


def test_live_table_on_a_pipe_does_not_repeat_itself_at_once() -> None:
    written = io.StringIO()
    table = LiveTable(Console(file=written, soft_wrap=True), lambda: KNOWN)

    for _ in range(20):
        table.show(PROGRESS)

    assert written.getvalue().count("\n") == 1


def test_live_table_on_a_terminal_has_a_row_for_each_month() -> None:
    text = shown(KNOWN, is_terminal=True)

    assert TRAFFIC in text
    cells = ("AUC so far 0.671", "March", "0.705", "0.697 to 0.713", "none", "April", "0.634")
    assert all(cell in text for cell in cells)


def test_live_view_without_anything_known_can_be_drawn() -> None:
    console = Console(file=io.StringIO(), width=100)

    console.print(live_view(PROGRESS, Known()))
