"""What an example tells of the inputs."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlp.errors import BadModelFolder
from mlp.signature import DType, Field
from mlp.signature.infer import example_rows, fields_from_frame, fields_from_rows, rows_from_csv, rows_from_frame


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], Field("x", DType.INT64)),
        ([1, 2.5], Field("x", DType.FLOAT64)),
        ([2**63], Field("x", DType.FLOAT64)),
        ([True, None], Field("x", DType.BOOL, nullable=True)),
        (["a", "2026-03-01T12:00:00Z"], Field("x", DType.STRING)),
        (["2026-03-01T12:00:00Z", "2026-03-01T12:00:00+01:00"], Field("x", DType.DATETIME)),
        (["2026-03-01 12:00:00"], Field("x", DType.STRING)),
        ([[1, 2], [3, 4]], Field("x", DType.INT64, shape=(2,))),
        ([[[1.0]], [[2], [3]]], Field("x", DType.FLOAT64, shape=(-1, 1))),
    ],
)
def test_fields_from_rows_of_one_column_give_its_type(values: list[Any], expected: Field) -> None:
    fields = fields_from_rows([{"x": value} for value in values])

    assert fields == (expected,)


def test_fields_from_rows_with_a_name_that_some_lack_are_nullable() -> None:
    fields = fields_from_rows([{"a": 1}, {"b": "x", "a": 2}])

    assert fields == (Field("a", DType.INT64), Field("b", DType.STRING, nullable=True))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no rows"),
        ([{"x": 1}, {"x": "1"}], "'x' of the example mixes int and str"),
        ([{"x": None}], "'x' is empty in every row"),
        ([{"x": [1, [2]]}], "'x' of the example holds lists of uneven length"),
        ([{"x": ["a"]}], "'x' of the example: lists hold numbers"),
        ([[1, 2]], "row 0 of the example is not an object"),
    ],
)
def test_fields_from_rows_that_tell_no_type_are_refused_by_name(rows: Any, said: str) -> None:
    with pytest.raises(BadModelFolder, match=said):
        fields_from_rows(rows)


def test_rows_from_csv_reads_each_column_in_one_type() -> None:
    text = '\ufeffwhole,part,gap,truth,text,code\r\n1,2,3,true,"a, ""b""",x1\r\n-2,2.5,,False,,2\r\n'

    rows = rows_from_csv(text)

    assert rows == [
        {"whole": 1, "part": 2.0, "gap": 3.0, "truth": True, "text": 'a, "b"', "code": "x1"},
        {"whole": -2, "part": 2.5, "gap": None, "truth": False, "text": None, "code": "2"},
    ]
    assert [type(row["part"]) for row in rows] == [float, float]


def test_rows_from_csv_agree_with_pandas() -> None:
    text = "a,b,c,d,e\n007,1e3,,TRUE,nan\n12,.5,4,false,1\n"

    rows = rows_from_csv(text)

    from io import StringIO

    frame = pd.read_csv(StringIO(text))
    assert fields_from_rows(rows) == fields_from_frame(frame)
    assert rows == rows_from_frame(frame, fields_from_frame(frame))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line of the CSV must name every column"),
        ("a,\n1,2\n", "first line of the CSV must name every column"),
        ("a;b\n1;2\n", "separated by commas"),
        ("a,a\n1,2\n", "'a' stands twice"),
        ("a,b\n1,2\n3\n", "line 3 of the CSV has 1 cells, its header has 2"),
        ('a,b\n"1,2\n', "line 2 of the CSV"),
    ],
)
def test_rows_from_csv_that_is_malformed_name_the_line(text: str, said: str) -> None:
    with pytest.raises(BadModelFolder, match=said):
        rows_from_csv(text)


def test_fields_from_frame_keep_exactly_its_types() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, 2], dtype="int64"),
            "small": np.array([1, 2], dtype="int8"),
            "f": np.array([1.0, np.nan], dtype="float32"),
            "masked": pd.array([1, 2], dtype="Int64"),
            "truth": pd.array([True, None], dtype="boolean"),
            "text": ["a", None],
            "plan": pd.Categorical(["b", "a"], categories=["b", "a", "c"]),
            "at": pd.to_datetime(["2026-03-01T12:00Z", ""]),
        }
    )

    fields = fields_from_frame(frame)

    assert fields == (
        Field("i", DType.INT64),
        Field("small", DType.INT8),
        Field("f", DType.FLOAT32, nullable=True),
        Field("masked", DType.INT64, nullable=True),
        Field("truth", DType.BOOL, nullable=True),
        Field("text", DType.STRING, nullable=True),
        Field("plan", DType.CATEGORY, categories=("b", "a", "c")),
        Field("at", DType.DATETIME, nullable=True),
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({3: [1]}), "column 3 of the frame must be named by text"),
        (pd.DataFrame({"n": pd.Categorical([1, 2])}), "'n' is a category of int values"),
        (pd.DataFrame({"d": pd.to_timedelta(["1 day"])}), "'d' has the type timedelta64"),
        (pd.DataFrame({"o": np.array([1, "a"], dtype=object)}), "'o' of the example mixes int and str"),
    ],
)
def test_fields_from_frame_with_a_type_that_no_input_has_name_the_column(frame: pd.DataFrame, said: str) -> None:
    with pytest.raises(BadModelFolder, match=said):
        fields_from_frame(frame)


def test_rows_from_frame_are_what_json_can_hold() -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None], dtype="Int64"),
            "f": [0.5, np.nan],
            "plan": pd.Categorical(["a", None]),
            "at": pd.to_datetime(["2026-03-01T12:00:00", ""]),
        }
    )

    rows = rows_from_frame(frame, fields_from_frame(frame))

    assert rows == [
        {"n": 1, "f": 0.5, "plan": "a", "at": "2026-03-01T12:00:00Z"},
        {"n": None, "f": None, "plan": None, "at": None},
    ]


def test_example_rows_of_many_keep_a_row_for_each_late_null() -> None:
    rows: list[dict[str, Any]] = [{"a": index, "b": 1} for index in range(10)]
    rows[7] = {"a": None, "b": 1}

    chosen = example_rows(rows, 3)

    assert chosen == [*rows[:3], rows[7]]
    assert fields_from_rows(chosen) == fields_from_rows(rows)
