"""Rows against signatures: what is read, what is refused, and in which words."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import SignatureMismatch
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.rows import RowReader


def reader(*fields: Field, **settings: Any) -> RowReader:
    return RowReader(Signature(Task.CLASSIFICATION, fields, **settings))


def refusal(read: RowReader, rows: list[Any]) -> str:
    with pytest.raises(SignatureMismatch) as caught:
        read.read(rows)
    return caught.value.message


def test_row_reader_objects_in_any_order_gives_values_in_order_of_inputs() -> None:
    read = reader(Field("age", DType.INT64), Field("plan", DType.STRING))

    rows = read.read([{"plan": "pro", "age": 41}, {"age": 7, "plan": "free"}])

    assert rows == [(41, "pro"), (7, "free")]


def test_row_reader_lists_gives_values_by_position() -> None:
    read = reader(Field("age", DType.INT64), Field("plan", DType.STRING))

    assert read.read([[41, "pro"]]) == [(41, "pro")]


@pytest.mark.parametrize(
    ("dtype", "given_value", "read_value"),
    [
        (DType.FLOAT64, 3, 3.0),
        (DType.FLOAT64, 3.5, 3.5),
        (DType.INT64, 3.0, 3),
        (DType.INT64, -(2**63), -(2**63)),
        (DType.BOOL, True, True),
        (DType.STRING, "", ""),
        (DType.DATETIME, "2026-03-01T12:00:00+01:00", np.datetime64("2026-03-01T11:00:00", "us")),
    ],
)
def test_row_reader_value_of_the_type_is_read_exactly(dtype: DType, given_value: Any, read_value: Any) -> None:
    (value,) = reader(Field("x", dtype)).read([[given_value]])[0]

    assert value == read_value
    assert type(value) is type(read_value)


@pytest.mark.parametrize(
    ("dtype", "given_value", "message"),
    [
        (DType.INT64, "abc", "input 'x', row 0: expected int64, got \"abc\""),
        (DType.INT64, "3", "input 'x', row 0: expected int64, got \"3\""),
        (DType.INT64, 3.5, "input 'x', row 0: expected int64, got 3.5"),
        (DType.INT64, True, "input 'x', row 0: expected int64, got true"),
        (DType.INT64, None, "input 'x', row 0: expected int64, got null"),
        (DType.INT64, [1], "input 'x', row 0: expected int64, got [1]"),
        (DType.INT64, 2**63, f"input 'x', row 0: expected int64 between {-(2**63)} and {2**63 - 1}, got {2**63}"),
        (DType.FLOAT64, "3", "input 'x', row 0: expected float64, got \"3\""),
        (DType.FLOAT64, math.inf, "input 'x', row 0: expected a finite float64, got inf"),
        (DType.FLOAT32, 1e39, "input 'x', row 0: expected a finite float32, got 1e+39"),
        (DType.BOOL, 1, "input 'x', row 0: expected bool, got 1"),
        (DType.STRING, 5, "input 'x', row 0: expected string, got 5"),
        (DType.DATETIME, "2026-03-01", "input 'x', row 0: expected an RFC 3339 time with an offset"),
        (DType.DATETIME, 5, "input 'x', row 0: expected an RFC 3339 time, got 5"),
    ],
)
def test_row_reader_value_of_another_type_is_refused_by_name_row_and_value(
    dtype: DType, given_value: Any, message: str
) -> None:
    assert refusal(reader(Field("x", dtype)), [[given_value]]).startswith(message)


def test_row_reader_bad_row_behind_good_ones_is_named_by_its_index() -> None:
    read = reader(Field("age", DType.INT64))

    assert refusal(read, [{"age": 1}, {"age": 2}, {"age": "x"}]) == "input 'age', row 2: expected int64, got \"x\""


def test_row_reader_form_seen_before_is_still_checked_for_bounds() -> None:
    read = reader(Field("share", DType.FLOAT64, minimum=0, maximum=1))
    read.read([[0.5]])

    assert refusal(read, [[1.5]]) == "input 'share', row 0: expected at most 1, got 1.5"
    assert refusal(read, [[-0.5]]) == "input 'share', row 0: expected at least 0, got -0.5"


def test_row_reader_form_with_integers_for_floats_is_converted_every_time() -> None:
    read = reader(Field("a", DType.FLOAT64), Field("b", DType.FLOAT64))

    first, second = read.read([[1, 2.5], [3, 4.5]])

    assert [type(value) for value in first + second] == [float] * 4


def test_row_reader_integer_too_large_for_float64_is_refused() -> None:
    read = reader(Field("x", DType.FLOAT64))

    assert "float64" in refusal(read, [[10**400]])


def test_row_reader_unknown_category_is_refused_or_let_through_as_the_field_says() -> None:
    strict = reader(Field("plan", DType.CATEGORY, categories=("free", "pro")))
    open_minded = reader(Field("plan", DType.CATEGORY, categories=("free", "pro"), unknown="count"))

    assert (
        refusal(strict, [["gold"]]) == "input 'plan', row 0: expected one of the 2 categories of 'plan', got \"gold\""
    )
    assert open_minded.read([["gold"]]) == [("gold",)]


def test_row_reader_missing_column_is_null_where_allowed_and_refused_where_not() -> None:
    read = reader(Field("age", DType.INT64, nullable=True), Field("plan", DType.STRING))

    assert read.read([{"plan": "pro"}]) == [(None, "pro")]
    assert refusal(read, [{"age": 3}]) == "input 'plan', row 0: missing, and it may not be null"


def test_row_reader_extra_column_is_refused_or_ignored_as_the_signature_says() -> None:
    strict = reader(Field("age", DType.INT64))
    lenient = reader(Field("age", DType.INT64), extra_columns="ignore")

    assert refusal(strict, [{"age": 1, "name": "x"}]) == (
        "row 0: 'name' is not an input of this model; its inputs are age"
    )
    assert lenient.read([{"age": 1, "name": "x"}]) == [(1,)]


def test_row_reader_extra_column_in_place_of_a_nullable_one_is_still_refused() -> None:
    read = reader(Field("age", DType.INT64, nullable=True))

    assert "'agee' is not an input" in refusal(read, [{"agee": 1}])


@pytest.mark.parametrize("row", ["text", 5, None, True])
def test_row_reader_row_that_is_neither_object_nor_list_is_refused(row: Any) -> None:
    assert "expected an object or a list" in refusal(reader(Field("age", DType.INT64)), [row])


def test_row_reader_list_of_wrong_length_is_refused() -> None:
    assert refusal(reader(Field("age", DType.INT64)), [[1, 2]]) == "row 0: expected 1 values, got 2"


def test_row_reader_tensor_field_checks_its_shape() -> None:
    read = reader(Field("image", DType.FLOAT32, shape=(2, 2)))

    assert read.read([[[[1, 2], [3, 4]]]]) == [([[1.0, 2.0], [3.0, 4.0]],)]
    assert "of shape [2, 2]" in refusal(read, [[[[1, 2], [3]]]])


_values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers()))


@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), _values), min_size=1, max_size=4))
def test_row_reader_any_json_is_read_or_refused_and_never_breaks(rows: list[dict[str, Any]]) -> None:
    read = reader(Field("a", DType.FLOAT64, nullable=True), Field("b", DType.INT64, minimum=-5))

    for _attempt in range(2):  # the second time the forms are known
        try:
            values = read.read(rows)
        except SignatureMismatch:
            continue
        assert all(a is None or type(a) is float for a, _b in values)
        assert all(type(b) is int and b >= -5 for _a, b in values)
