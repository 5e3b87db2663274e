"""Rows in JSON form, from frames, arrays, dicts and lists."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp.client.exchange import to_json
from mlp.client.rows import json_rows
from mlp.errors import BadInput

NAN = float("nan")


def test_frame_becomes_rows_by_name() -> None:
    frame = pd.DataFrame(
        {
            "count": [1, 2],
            "ratio": [0.5, NAN],
            "small": np.array([0.1, 2], dtype="float32"),
            "flag": [True, False],
            "text": ["a", None],
            "kind": pd.Categorical(["x", None]),
            "masked": pd.array([7, None], dtype="Int64"),
            "at": pd.to_datetime(pd.Series(["2013-03-01T11:00:00", None])).to_numpy(),
            "zoned": pd.to_datetime(pd.Series(["2013-03-01T12:00:00+01:00", None])).array,
        },
        index=[5, 9],
    )

    rows = json_rows(frame)

    time = "2013-03-01T11:00:00Z"
    small = 0.10000000149011612
    assert rows == [
        {
            "count": 1,
            "ratio": 0.5,
            "small": small,
            "flag": True,
            "text": "a",
            "kind": "x",
            "masked": 7,
            "at": time,
            "zoned": time,
        },
        {
            "count": 2,
            "ratio": None,
            "small": 2.0,
            "flag": False,
            "text": None,
            "kind": None,
            "masked": None,
            "at": None,
            "zoned": None,
        },
    ]


def test_frame_rows_hold_plain_python_values() -> None:
    frame = pd.DataFrame({"a": np.array([1], dtype="int8"), "b": np.array([True]), "c": [np.str_("x")]})

    (row,) = json_rows(frame)

    assert isinstance(row, dict)
    assert [type(value) for value in row.values()][:2] == [int, bool]
    assert to_json(row) == b'{"a":1,"b":true,"c":"x"}'


def test_array_becomes_rows_in_order() -> None:
    assert json_rows(np.array([[1.5, NAN], [2.0, 3.0]])) == [[1.5, None], [2.0, 3.0]]


def test_mixed_rows_are_cleaned_value_by_value() -> None:
    rows = [
        {"a": np.int64(1), "b": NAN, "c": pd.NA, "d": pd.NaT, "e": np.datetime64("2013-03-01T11:00", "ns")},
        [datetime(2013, 3, 1, 11, tzinfo=UTC), datetime(2013, 3, 1, 11), np.array([1, 2]), (0.5, None)],  # noqa: DTZ001
    ]

    assert json_rows(rows) == [
        {"a": 1, "b": None, "c": None, "d": None, "e": "2013-03-01T11:00:00Z"},
        ["2013-03-01T11:00:00Z", "2013-03-01T11:00:00Z", [1, 2], [0.5, None]],
    ]


def test_rows_may_come_from_a_generator() -> None:
    assert json_rows({"n": number} for number in range(2)) == [{"n": 0}, {"n": 1}]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1}, {"a": float("inf")}], "input 'a', row 1: inf cannot be sent"),
        ([[1, -np.inf]], "input '1', row 0: -inf cannot be sent"),
        ([{"a": object()}], "input 'a', row 0: a object cannot be sent"),
        ([{"a": np.timedelta64(1, "s")}], "input 'a', row 0: a timedelta64 cannot be sent"),
        ([{1: 2}], "row 0: 1 is not the name of an input"),
        ([3], "row 0: expected a dict or a list, got int"),
        (["ab"], "row 0: expected a dict or a list, got str"),
        ({"a": 1}, "rows are a list of dicts or lists, or a DataFrame; got dict"),
        ("ab", "got str"),
        (7, "got int"),
        (np.zeros(3), "two dimensions, got 1"),
        (pd.DataFrame([[1, 2]]), "column 0 of the DataFrame is not named by text"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "column 'a' stands twice"),
        (pd.DataFrame({"a": [pd.Timedelta("1s")]}), "input 'a', row 0: a Timedelta cannot be sent"),
        (pd.DataFrame({"a": [np.inf]}), "input 'a', row 0: inf cannot be sent"),
    ],
)
def test_what_is_no_row_is_refused_by_place(rows: Any, message: str) -> None:
    with pytest.raises(BadInput) as raised:
        json_rows(rows)

    assert message in raised.value.message


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.text(),
            st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_infinity=False) | st.text(),
        )
    )
)
def test_rows_of_plain_values_stay_as_they_are(rows: list[dict[str, Any]]) -> None:
    expected = [{name: None if value != value else value for name, value in row.items()} for row in rows]

    assert json_rows(rows) == expected
