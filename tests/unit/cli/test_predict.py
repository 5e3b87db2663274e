import sys
from pathlib import Path
from typing import Any

import pytest

from mlp.cli import predict
from mlp.cli.formats import PredictionFormat, RowFormat
from mlp.cli.output import Output
from mlp.cli.predictions import make_writer
from mlp.cli.request_rows import RequestReader
from mlp.cli.row_files import opened
from mlp.client.results import Answer, Prediction
from mlp.errors import SignatureMismatch


def answer(values: list[Any], _keys: list[str] | None) -> Answer:
    """A model that answers with what it was given, and takes nothing below zero."""
    for row, value in enumerate(values):
        if value < [0]:
            raise SignatureMismatch(f"input 'x', row {row}: expected at least 0, got {value[0]}")
    return Answer("0195", "same", "1", [Prediction(value=value[0]) for value in values])


def predict_file(path: Path, output_format: PredictionFormat) -> None:
    output = Output(is_json=False)
    with opened(path) as file:
        predict._predict_all(output, file, RequestReader(file, None), answer, make_writer(output_format, output))


def test_rows_are_asked_in_chunks_and_answered_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predict, "ROWS_PER_REQUEST", 2)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"[{number}]\n" for number in range(5)))

    predict_file(path, PredictionFormat.CSV)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "value,version,id,row"
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2", "3", "4"]
    assert [line.split(",")[-1] for line in lines[1:]] == ["0", "1", "0", "1", "0"]


def test_row_that_is_refused_is_named_and_what_came_before_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predict, "ROWS_PER_REQUEST", 2)
    path = tmp_path / "rows.jsonl"
    path.write_text("[1]\n[2]\n\n[3]\n[-4]\n")

    with pytest.raises(SignatureMismatch, match=r"rows.jsonl: input 'x', line 5: expected at least 0, got -4"):
        predict_file(path, PredictionFormat.JSONL)

    assert capsys.readouterr().err == "the first 2 rows were predicted\n"


@pytest.mark.parametrize(
    ("asked", "is_json", "is_terminal", "used"),
    [
        (None, False, False, PredictionFormat.CSV),
        (None, False, True, PredictionFormat.TABLE),
        (PredictionFormat.JSONL, False, True, PredictionFormat.JSONL),
        (PredictionFormat.TABLE, True, True, PredictionFormat.JSON),
    ],
)
def test_format_goes_by_what_is_asked_and_who_reads(
    monkeypatch: pytest.MonkeyPatch,
    asked: PredictionFormat | None,
    is_json: bool,
    is_terminal: bool,
    used: PredictionFormat,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)

    assert predict._format(Output(is_json=is_json), asked, RowFormat.CSV) is used
