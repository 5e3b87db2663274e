import json
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlp.cli.output import Column, Output, count, decimal, moment, number, percent, size, span


def test_table_cells_stand_below_their_titles_and_numbers_at_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(is_json=False)

    output.table([Column("model"), number("rows")], [("churn", "7"), ("flights", "12,345")])

    assert capsys.readouterr().out == "MODEL      ROWS\nchurn         7\nflights  12,345\n"


def test_table_long_cells_fold_within_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = Output(is_json=False)

    output.table([Column("window"), Column("features", is_folded=True)], [("2013-03", "temperature, " * 20)])

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) > 3


@pytest.mark.parametrize("columns", ["40", "80"])
def test_table_ids_kinds_and_states_are_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    row = (
        "01a20bc0-3866-7000-8bbe-afa86d16a001",
        "registry.accept a-model-with-quite-a-long-name",
        "succeeded",
        "3 min",
    )

    Output(is_json=False).table([Column("id"), Column("work", is_folded=True), Column("state"), number("age")], [row])

    words = capsys.readouterr().out.split()
    assert {row[0], "registry.accept", "succeeded"} <= set(words)


def test_table_markup_in_a_cell_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Output(is_json=False).table([Column("model")], [("[red]churn[/red]",)])

    assert "[red]churn[/red]" in capsys.readouterr().out


def test_facts_values_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    Output(is_json=False).facts([("model", "churn"), ("created", "today")])

    assert capsys.readouterr().out == "model    churn\ncreated  today\n"


def test_json_document_is_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(is_json=True)

    output.note("a note")
    output.json({"at": datetime(2026, 3, 1, tzinfo=UTC), "name": "Zürich"})

    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"at": "2026-03-01T00:00:00Z", "name": "Zürich"}
    assert captured.err == ""


def test_note_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Output(is_json=False).note("a note")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a note\n")


def test_line_is_never_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    Output(is_json=False).line("curl " + "x" * 300)

    assert capsys.readouterr().out == "curl " + "x" * 300 + "\n"


def test_progress_without_a_terminal_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(is_json=False).progress("working") as report_progress:
        report_progress(1, 2, "half")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_progress_on_a_terminal_is_shown_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")

    with Output(is_json=False).progress("working") as report_progress:
        report_progress(1, 2, "[half]")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[half]" in captured.err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.85, "850 ms"),
        (12.5, "12.5 s"),
        (60, "1 min"),
        (12_000, "3 h 20 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
    ],
)
def test_span_is_told_in_at_most_two_units(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_numbers_as_tables_show_them() -> None:
    assert count(27_004) == "27,004"
    assert (decimal(0.70123), decimal(None), decimal(0.5, 2)) == ("0.7012", "-", "0.50")
    assert (percent(0.9871), percent(None)) == ("98.7%", "-")
    assert (size(999), size(4_100_000), size(2_500_000_000_000)) == ("999 B", "4.1 MB", "2.5 TB")


def test_moment_of_another_zone_is_told_in_utc() -> None:
    eastern = timezone(timedelta(hours=-5))

    assert moment(datetime(2013, 3, 1, 6, tzinfo=eastern)) == "2013-03-01 11:00:00Z"
    assert moment(None) == "-"
