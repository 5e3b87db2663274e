from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.cli.cells import WRONG_CELLS_SHOWN, CellReader
from mlp.cli.formats import RowFormat
from mlp.cli.row_files import Row, RowFile
from mlp.client.results import Field, Signature
from mlp.errors import SignatureMismatch


def signature_of(*fields: Field, extra_columns: str = "refuse") -> Signature:
    return Signature("classification", fields, extra_columns=extra_columns)


def file_of(*names: str) -> RowFile:
    nothing: Iterator[Row] = iter(())
    return RowFile("rows.csv", RowFormat.CSV, names, nothing)


def read(field: Field, text: str, missing: tuple[str, ...] = ()) -> Any:
    reader = CellReader(signature_of(field), file_of(field.name), missing=missing)
    return reader.read([Row(2, {field.name: text})])[0][field.name]


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        ("int64", "3", 3),
        ("int64", " -3 ", -3),
        ("int64", "3.0", 3),
        ("int64", "9007199254740993", 9007199254740993),
        ("uint8", "200", 200),
        ("float64", "3", 3.0),
        ("float64", "1e-3", 0.001),
        ("float32", ".5", 0.5),
        ("bool", "true", True),
        ("bool", "False", False),
        ("bool", "1", True),
        ("bool", "0", False),
        ("string", " as it is ", " as it is "),
        ("string", "007", "007"),
        ("category", "UA", "UA"),
        ("datetime", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("datetime", "2026-03-01T12:00:00+01:00", "2026-03-01T12:00:00+01:00"),
    ],
)
def test_cell_that_fits_is_read_in_its_type(dtype: str, text: str, value: Any) -> None:
    found = read(Field("x", dtype), text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        ("int64", "abc", "expected int64"),
        ("int64", "3.5", "expected int64"),
        ("int64", "1_000", "expected int64"),
        ("int64", "٣", "expected int64"),
        ("float64", "1,5", "expected float64"),
        ("float64", "nan", "expected float64"),
        ("float64", "inf", "expected float64"),
        ("float64", "1e999", "expected a finite number"),
        ("bool", "yes", r"expected bool \(true, false, 1 or 0\)"),
        ("datetime", "2026-03-01 12:00", "expected an RFC 3339 time with an offset"),
    ],
)
def test_cell_that_does_not_fit_is_named_with_its_line(dtype: str, text: str, expected: str) -> None:
    with pytest.raises(SignatureMismatch, match=f"^input 'x', line 2: {expected}") as caught:
        read(Field("x", dtype), text)

    assert f'got "{text}"' in caught.value.message


def test_cell_of_a_shaped_input_is_json() -> None:
    assert read(Field("x", "float32", shape=(2,)), "[1, 2.5]") == [1, 2.5]

    with pytest.raises(SignatureMismatch, match="expected a list as JSON"):
        read(Field("x", "float32", shape=(2,)), "1 2.5")


def test_empty_cell_of_a_nullable_input_is_missing() -> None:
    assert read(Field("x", "int64", nullable=True), "") is None
    assert read(Field("x", "string", nullable=True), "") is None


def test_empty_cell_of_a_text_that_may_not_be_null_is_empty_text() -> None:
    assert read(Field("x", "string"), "") == ""


def test_empty_cell_of_a_number_that_may_not_be_null_is_refused() -> None:
    with pytest.raises(SignatureMismatch, match=r"line 2: expected int64, got an empty cell"):
        read(Field("x", "int64"), "")


def test_text_for_missing_is_read_so_only_when_said() -> None:
    field = Field("x", "float64", nullable=True)

    assert read(field, "NA", missing=("NA",)) is None

    with pytest.raises(SignatureMismatch, match="--missing NA reads it as missing"):
        read(field, "NA")


def test_text_for_missing_in_an_input_that_may_not_be_null_is_refused() -> None:
    with pytest.raises(SignatureMismatch, match='"NA" may not be missing'):
        read(Field("x", "string"), "NA", missing=("NA",))


def test_many_wrong_cells_are_named_up_to_a_limit() -> None:
    reader = CellReader(signature_of(Field("x", "int64")), file_of("x"))
    rows = [Row(line, {"x": "?"}) for line in range(2, 2 + WRONG_CELLS_SHOWN + 3)]

    with pytest.raises(SignatureMismatch) as caught:
        reader.read(rows)

    lines = caught.value.message.splitlines()
    assert len(lines) == WRONG_CELLS_SHOWN + 1
    assert lines[1].startswith("input 'x', line 3:")
    assert lines[-1] == "and 3 more cells that do not fit"


def test_columns_lacking_an_input_are_refused_unless_it_may_be_null() -> None:
    fields = (Field("x", "int64"), Field("y", "int64", nullable=True))

    assert CellReader(signature_of(*fields), file_of("x")).read([Row(2, {"x": "1"})]) == [{"x": 1}]

    with pytest.raises(SignatureMismatch, match="has no column 'x'"):
        CellReader(signature_of(*fields), file_of("y"))


@pytest.mark.parametrize(
    ("titles", "advice"), [("months;price", "add --delimiter ';'"), ("months\tprice", r"add --delimiter \$'\\t'")]
)
def test_columns_cut_at_the_wrong_character_are_told_the_delimiter(titles: str, advice: str) -> None:
    with pytest.raises(SignatureMismatch, match=f"has no column 'months', .*: {advice}$"):
        CellReader(signature_of(Field("months", "int64")), file_of(titles))


def test_columns_beyond_the_inputs_are_refused_unless_said() -> None:
    signature = signature_of(Field("x", "int64"))
    file = file_of("x", "customer", "churned")
    row = Row(2, {"x": "1", "customer": "crm-1", "churned": "yes"})

    with pytest.raises(SignatureMismatch, match="no inputs of the model: 'churned'; --ignore-extra"):
        CellReader(signature, file, set_apart=["customer"])

    assert CellReader(signature, file, is_extra_ignored=True).read([row]) == [{"x": 1}]
    assert CellReader(signature_of(Field("x", "int64"), extra_columns="ignore"), file).read([row]) == [{"x": 1}]


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_every_whole_number_comes_back(value: int) -> None:
    assert read(Field("x", "int64"), str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_comes_back_to_the_bit(value: float) -> None:
    assert read(Field("x", "float64"), repr(value)) == value
