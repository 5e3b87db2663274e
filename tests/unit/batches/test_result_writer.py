import json
from typing import Any

import pytest

from mlp.batches.batch import Options
from mlp.batches.choices import BatchFormat, Columns
from mlp.batches.result_writer import RowPlace, header_line, make_writer
from mlp.signature import DType, Field, Signature, Task

TWO_CLASSES = Signature(
    Task.CLASSIFICATION,
    (Field("x", DType.FLOAT64),),
    (Field("label", DType.BOOL), Field("probabilities", DType.FLOAT64, shape=(2,))),
    classes=(False, True),
)
REGRESSION = Signature(Task.REGRESSION, (Field("x", DType.FLOAT64),), (Field("value", DType.FLOAT64),))
TENSORS = Signature(Task.TENSORS, (Field("x", DType.FLOAT64),), (Field("embedding", DType.FLOAT32, shape=(2,)),))
LABEL_ALONE = Signature(Task.CLASSIFICATION, (Field("x", DType.FLOAT64),), (Field("label", DType.STRING),))
PLACE = RowPlace(7, "c1", ["c1", "1.50"])


@pytest.mark.parametrize(
    ("signature", "prediction", "cells"),
    [
        (TWO_CLASSES, {"label": True, "probabilities": {"false": 0.25, "true": 0.75}}, "true,0.25,0.75"),
        (REGRESSION, {"value": 1e-17}, "1e-17"),
        (REGRESSION, {"value": None}, ""),
        (TENSORS, {"outputs": {"embedding": [1.0, 2.0]}}, '"{""embedding"":[1.0,2.0]}"'),
        (LABEL_ALONE, {"label": 'a, "b"'}, '"a, ""b"""'),
    ],
)
def test_prediction_as_cells(signature: Signature, prediction: dict[str, Any], cells: str) -> None:
    writer = make_writer(signature, Options(key="id"), ("id", "x"))

    writer.answer(PLACE, prediction, "0195", 3)

    assert writer.text() == f"7,c1,{cells},\n"


def test_bad_row_has_its_reason_in_the_last_cell() -> None:
    writer = make_writer(TWO_CLASSES, Options(), ("x",))

    writer.error(RowPlace(3, None, None), "no, not\na number")

    assert writer.text() == '3,,,,,,"no, not\na number"\n'


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (Options(key="id"), "line,id,label,probability_false,probability_true,error\n"),
        (Options(), "line,label,probability_false,probability_true,id,row,error\n"),
        (Options(delimiter=";"), "line;label;probability_false;probability_true;id;row;error\n"),
        (Options(columns=Columns.ALL, key="id"), "line,id,x,label,probability_false,probability_true,error\n"),
        (Options(columns=Columns.ALL), "line,id,x,label,probability_false,probability_true,mlp_id,row,error\n"),
        (Options(format=BatchFormat.JSONL), ""),
    ],
)
def test_header_names_every_cell_once(options: Options, line: str) -> None:
    assert header_line(TWO_CLASSES, options, ("id", "x")) == line


def test_row_of_the_file_stands_before_its_prediction_as_it_was() -> None:
    writer = make_writer(REGRESSION, Options(columns=Columns.ALL), ("id", "x"))

    writer.answer(PLACE, {"value": 2.0}, "0195", 3)
    writer.error(RowPlace(8, None, None), "bad")

    assert writer.text() == "7,c1,1.50,2.0,0195,3,\n8,,,,,,bad\n"


def test_json_lines_name_line_key_and_prediction() -> None:
    writer = make_writer(REGRESSION, Options(format=BatchFormat.JSONL, columns=Columns.ALL), None)

    writer.answer(RowPlace(1, "c1", '{"x": 1.50}'), {"value": 2.0}, "0195", 3)
    writer.error(RowPlace(2, None, "oops"), "not JSON")
    writer.error(RowPlace(3, None, None), "not text")

    assert writer.text().startswith('{"line":1,"key":"c1","input":{"x": 1.50},"value":2.0')
    assert [json.loads(line) for line in writer.text().splitlines()] == [
        {"line": 1, "key": "c1", "input": {"x": 1.5}, "value": 2.0, "id": "0195", "row": 3},
        {"line": 2, "input": "oops", "error": "not JSON"},
        {"line": 3, "error": "not text"},
    ]
