"""Example rows from every form in which they are given."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlp.client.example import example_of, frame_of
from mlp.errors import BadInput, BadModelFolder
from mlp.signature.fields import DType, Field

CSV = "age,city,rate\n3,A,0.5\n4,,\n"


def test_frame_gives_rows_fields_and_itself() -> None:
    frame = pd.DataFrame({"age": [3, 4], "city": pd.Categorical(["A", None], categories=["A", "B"])})

    example = example_of(frame)

    assert example.rows == [{"age": 3, "city": "A"}, {"age": 4, "city": None}]
    assert example.fields == (
        Field("age", DType.INT64),
        Field("city", DType.CATEGORY, nullable=True, categories=("A", "B")),
    )
    assert example.frame is not None
    assert example.frame.equals(frame)


def test_many_rows_are_cut_but_all_are_looked_at() -> None:
    frame = pd.DataFrame({"n": range(1000), "x": [0.5] * 999 + [np.nan]})

    example = example_of(frame)

    assert len(example.rows) == 21
    assert example.rows[-1] == {"n": 999, "x": None}
    assert example.fields[1].nullable
    assert example.frame is not None
    assert example.frame["n"].tolist() == [*range(20), 999]


@pytest.mark.parametrize(("names", "expected"), [(None, ["x0", "x1"]), (["a", "b"], ["a", "b"])])
def test_array_takes_the_names_of_the_model(names: list[str] | None, expected: list[str]) -> None:
    example = example_of(np.array([[1.0, 2.0]]), names)

    assert list(example.rows[0]) == expected
    assert {item.dtype for item in example.fields} == {DType.FLOAT64}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", CSV),
        ("rows.json", '{"rows": [{"age": 3, "city": "A", "rate": 0.5}, {"age": 4, "city": null, "rate": null}]}'),
        ("rows.jsonl", '{"age": 3, "city": "A", "rate": 0.5}\n\n{"age": 4, "city": null, "rate": null}\n'),
    ],
)
def test_files_of_every_format_give_the_same_rows(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)

    example = example_of(path)

    assert example.rows == [{"age": 3, "city": "A", "rate": 0.5}, {"age": 4, "city": None, "rate": None}]
    assert [item.nullable for item in example.fields] == [False, True, True]


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ([], BadInput, "the example holds no rows"),
        ([[1, 2]], BadInput, "row 0 of the example is a list: give dicts"),
        (7, BadInput, "rows are a list of dicts"),
        ("none.csv", BadModelFolder, r"there is no file none\.csv"),
        ([{"a": 1}, {"a": "x"}], BadModelFolder, "column 'a' of the example mixes"),
        (pd.DataFrame({"a": [object()]}), BadInput, "cannot be sent as JSON"),
        (pd.DataFrame({"a": []}), BadInput, "the example holds no rows"),
    ],
)
def test_what_is_no_example_is_refused(given: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        example_of(given)


def test_frame_of_rows_has_the_types_of_the_fields() -> None:
    rows = [
        {"at": "2013-03-01T11:00:00Z", "city": "A", "n": 1, "maybe": None, "flag": True, "text": "x"},
        {"at": "2013-03-01T11:00:00.5Z", "city": None, "n": 2, "maybe": 3, "flag": None, "text": "y"},
    ]
    example = example_of(rows)
    fields = [
        Field("city", DType.CATEGORY, categories=("A", "B"), nullable=True) if item.name == "city" else item
        for item in example.fields
    ]

    frame = frame_of(example, fields)

    assert str(frame["at"].dtype).endswith("UTC]")
    assert frame["city"].cat.categories.tolist() == ["A", "B"]
    assert [str(frame[name].dtype) for name in ("n", "maybe", "flag")] == ["int64", "float64", "float64"]
    assert frame["text"].tolist() == ["x", "y"]


def test_frame_of_a_frame_is_that_frame() -> None:
    example = example_of(pd.DataFrame({"n": np.array([1, 2], dtype="int8")}))

    assert frame_of(example, example.fields)["n"].dtype == np.int8
