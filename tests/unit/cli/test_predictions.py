import csv
import io
import json
from typing import Any

import pytest

from mlp.cli.formats import PredictionFormat
from mlp.cli.output import Output
from mlp.cli.predictions import make_writer
from mlp.client.results import Answer, Prediction
from mlp.errors import BadInput

LATE = Prediction(key="a", label=True, probabilities={"false": 0.25, "true": 0.75})
ON_TIME = Prediction(key="b", label=False, probabilities={"false": 0.9, "true": 0.1})


def answer_of(*predictions: Prediction, version: str = "3") -> Answer:
    return Answer("0195", "flights", version, list(predictions))


def printed(capsys: pytest.CaptureFixture[str], output_format: PredictionFormat, *answers: Answer) -> str:
    writer = make_writer(output_format, Output(is_json=False))
    for answer in answers:
        writer.write(answer)
    writer.end()
    return capsys.readouterr().out


def test_json_of_several_answers_is_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, PredictionFormat.JSON, answer_of(LATE), answer_of(ON_TIME, version="4"))

    assert json.loads(text) == [
        {
            "key": "a",
            "label": True,
            "probabilities": {"false": 0.25, "true": 0.75},
            "version": "3",
            "id": "0195",
            "row": 0,
        },
        {
            "key": "b",
            "label": False,
            "probabilities": {"false": 0.9, "true": 0.1},
            "version": "4",
            "id": "0195",
            "row": 0,
        },
    ]


def test_json_of_nothing_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, PredictionFormat.JSON) == "[]\n"


def test_json_lines_are_one_prediction_each(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, PredictionFormat.JSONL, answer_of(Prediction(value=1.5), Prediction(value=2.0)))

    assert [json.loads(line) for line in text.splitlines()] == [
        {"value": 1.5, "version": "3", "id": "0195", "row": 0},
        {"value": 2.0, "version": "3", "id": "0195", "row": 1},
    ]


def test_csv_has_one_column_for_each_class(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, PredictionFormat.CSV, answer_of(LATE, ON_TIME))

    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0] == {
        "key": "a",
        "label": "true",
        "probability_false": "0.25",
        "probability_true": "0.75",
        "version": "3",
        "id": "0195",
        "row": "0",
    }
    assert rows[1]["row"] == "1"


def test_csv_outputs_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, PredictionFormat.CSV, answer_of(Prediction(outputs={"y": [1.0, 2.0]})))

    assert next(csv.DictReader(io.StringIO(text)))["outputs"] == '{"y":[1.0,2.0]}'


def test_csv_of_versions_that_answer_otherwise_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match="version 4 answers with other columns"):
        printed(capsys, PredictionFormat.CSV, answer_of(LATE), answer_of(Prediction(key="b", value=1.0), version="4"))


def test_table_shows_key_label_and_classes(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, PredictionFormat.TABLE, answer_of(LATE, ON_TIME))

    assert [line.split() for line in text.splitlines()] == [
        ["KEY", "LABEL", "P(FALSE)", "P(TRUE)"],
        ["a", "true", "0.2500", "0.7500"],
        ["b", "false", "0.9000", "0.1000"],
    ]


def test_table_of_many_classes_shows_the_probability_of_the_label(capsys: pytest.CaptureFixture[str]) -> None:
    probabilities = {f"class{index}": 0.1 for index in range(10)}

    text = printed(capsys, PredictionFormat.TABLE, answer_of(Prediction(label="class3", probabilities=probabilities)))

    assert [line.split() for line in text.splitlines()] == [["ROW", "LABEL", "PROBABILITY"], ["0", "class3", "0.1000"]]


@pytest.mark.parametrize(
    ("prediction", "lines"),
    [
        (Prediction(value=12.5), [["ROW", "VALUE"], ["0", "12.5"]]),
        (Prediction(label=2), [["ROW", "LABEL"], ["0", "2"]]),
        (Prediction(outputs={"y": 1}), [["ROW", "OUTPUTS"], ["0", '{"y":1}']]),
    ],
)
def test_table_of_other_models_shows_what_they_answer(
    capsys: pytest.CaptureFixture[str], prediction: Prediction, lines: Any
) -> None:
    text = printed(capsys, PredictionFormat.TABLE, answer_of(prediction))

    assert [line.split() for line in text.splitlines()] == lines


def test_table_rows_are_counted_on_over_answers(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, PredictionFormat.TABLE, answer_of(Prediction(value=1.0)), answer_of(Prediction(value=2.0)))

    assert [line.split()[0] for line in text.splitlines()] == ["ROW", "0", "ROW", "1"]
