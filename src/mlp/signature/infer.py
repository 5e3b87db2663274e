"""Guesses fields from an example: rows of JSON, CSV text, or a data frame (duck-typed, pandas is not imported).

A guess is strict: a column of whole numbers becomes int64, one without gaps is not nullable. What it cannot
know (bounds, categories of plain text) stays open; mlp.toml says it where it matters.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlp.clock import from_rfc3339, to_rfc3339
from mlp.errors import BadInput, BadModelFolder
from mlp.signature.fields import DType, Field

#: One row as JSON has it.
Row = dict[str, Any]

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_INT64 = np.iinfo(np.int64)
_TRUTH = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}


def fields_from_rows(rows: Sequence[Row]) -> tuple[Field, ...]:
    """Fields that accept all the rows, in the order in which their names first appear.

    A name that some rows lack, or that is null somewhere, is nullable. Texts that are all RFC 3339 times with an
    offset become datetime. Nested lists of numbers become float64 or int64 with a shape.

    Raises:
        BadModelFolder: There are no rows, a column mixes types, or it holds nothing but nulls; names the column.
    """
    if not rows:
        raise BadModelFolder("the example has no rows, so the types of the inputs cannot be inferred from it")
    names: dict[str, None] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BadModelFolder(f"row {index} of the example is not an object of values by name: {row!r:.60}")
        names.update(dict.fromkeys(row))
    return tuple(_field_of(name, [row.get(name) for row in rows]) for name in names)


def _field_of(name: str, values: Sequence[Any]) -> Field:
    present = [value for value in values if value is not None]
    if not present:
        raise BadModelFolder(
            f"column '{name}' is empty in every row of the example: give it a value, or write its type in mlp.toml"
        )
    nullable = len(present) < len(values)
    if isinstance(present[0], list):
        return _tensor_field(name, present)
    dtype = _column_dtype(present)
    if dtype is None:
        kinds = " and ".join(sorted({type(value).__name__ for value in present}))
        raise BadModelFolder(f"column '{name}' of the example mixes {kinds}; a column has one type")
    return Field(name, dtype, nullable=nullable)


def _column_dtype(values: Sequence[Any]) -> DType | None:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return DType.BOOL
    if kinds == {int} and all(_INT64.min <= value <= _INT64.max for value in values):
        return DType.INT64
    if kinds <= {int, float}:
        return DType.FLOAT64
    if kinds == {str}:
        return DType.DATETIME if all(_is_time(value) for value in values) else DType.STRING
    return None


def _is_time(text: str) -> bool:
    try:
        from_rfc3339(text)
    except BadInput:
        return False
    return True


def _tensor_field(name: str, values: Sequence[Any]) -> Field:
    try:
        arrays = [np.array(value) for value in values]
    except ValueError as error:
        raise BadModelFolder(f"column '{name}' of the example holds lists of uneven length: {error}") from error
    if len({array.ndim for array in arrays}) != 1 or any(array.dtype.kind not in "iufb" for array in arrays):
        raise BadModelFolder(f"column '{name}' of the example: lists hold numbers, to the same depth in every row")
    sizes = zip(*(array.shape for array in arrays), strict=True)
    shape = tuple(size[0] if len(set(size)) == 1 else -1 for size in sizes)
    kinds = {array.dtype.kind for array in arrays}
    dtype = DType.BOOL if kinds == {"b"} else DType.FLOAT64 if "f" in kinds else DType.INT64
    return Field(name, dtype, shape=shape)


def rows_from_csv(text: str) -> list[Row]:
    """The rows of a CSV text (RFC 4180) with a header, each column read in the one type that all its cells have.

    The types are those that ``pandas.read_csv`` gives, since that is how most models saw their training data: whole
    numbers, or floats where a cell is empty; floats; true and false; else text. An empty cell is null.

    Raises:
        BadModelFolder: No header, a name twice, or a line with too many or too few cells (naming the line).
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = _checked_header(next(reader, []))
        cells = []
        for line in reader:
            if line and len(line) != len(header):
                raise BadModelFolder(
                    f"line {reader.line_num} of the CSV has {len(line)} cells, its header has {len(header)}"
                )
            if line:
                cells.append(line)
    except csv.Error as error:
        raise BadModelFolder(f"line {reader.line_num} of the CSV: {error}") from error
    columns = [_read_cells([line[index] for line in cells]) for index in range(len(header))]
    return [dict(zip(header, values, strict=True)) for values in zip(*columns, strict=True)]


def _checked_header(header: list[str]) -> list[str]:
    if not header or not all(header):
        raise BadModelFolder("the first line of the CSV must name every column")
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise BadModelFolder(f"the CSV must be separated by commas; its first line is {header[0]!r:.60}")
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise BadModelFolder(f"column '{twice}' stands twice in the CSV")
    return header


def _read_cells(cells: Sequence[str]) -> list[Any]:
    has_gaps = "" in cells
    for read in (_float_cell,) if has_gaps else (_integer_cell, _float_cell):
        try:
            return [None if cell == "" else read(cell) for cell in cells]
        except ValueError:
            continue
    if all(cell == "" or cell in _TRUTH for cell in cells):
        return [_TRUTH.get(cell) for cell in cells]
    return [None if cell == "" else cell for cell in cells]


def _integer_cell(cell: str) -> int:
    if _INTEGER.fullmatch(cell) is None or not _INT64.min <= int(cell) <= _INT64.max:
        raise ValueError(cell)
    return int(cell)


def _float_cell(cell: str) -> float | None:
    if cell.lower() == "nan":
        return None
    if _FLOAT.fullmatch(cell) is None or not math.isfinite(float(cell)):
        raise ValueError(cell)
    return float(cell)


def fields_from_frame(frame: Any) -> tuple[Field, ...]:
    """Fields with exactly the types of a pandas data frame; columns with missing values are nullable.

    ``category`` columns keep their categories in order. Object columns must hold text, or Python numbers of one
    kind. Times without a zone are taken as UTC.

    Raises:
        BadModelFolder: A column has no name of type str, or a type that a signature cannot hold; names it.
    """
    fields = []
    for position, name in enumerate(frame.columns):
        if not isinstance(name, str):
            raise BadModelFolder(f"column {name!r} of the frame must be named by text: frame.columns.astype(str)")
        fields.append(_field_of_series(name, frame.iloc[:, position]))
    return tuple(fields)


def _field_of_series(name: str, series: Any) -> Field:
    text = str(series.dtype)
    nullable = bool(series.isna().any())
    if text == "category":
        return _category_field(name, series.cat.categories.tolist(), nullable)
    if text.startswith("datetime64"):
        return Field(name, DType.DATETIME, nullable=nullable)
    if text in ("object", "str") or text.startswith("string"):
        values = [None if missing else value for value, missing in zip(series.tolist(), series.isna(), strict=True)]
        return Field(name, DType.STRING, nullable) if text != "object" else _field_of(name, values)
    # pandas writes Int64, Float32 and boolean for the types that can hold a missing value beside a number.
    can_be_missing = text[:1].isupper() or text == "boolean"
    plain = "bool" if text == "boolean" else text.lower()
    if plain not in DType.__members__.values():
        raise BadModelFolder(f"column '{name}' has the type {text}, which a signature cannot hold: convert it first")
    return Field(name, DType(plain), nullable=nullable or can_be_missing)


def _category_field(name: str, categories: Sequence[Any], nullable: bool) -> Field:
    if not all(isinstance(category, str) for category in categories):
        kind = type(categories[0]).__name__
        raise BadModelFolder(
            f"column '{name}' is a category of {kind} values; a signature knows categories of text: "
            f"frame['{name}'].astype(str).astype('category'), before training"
        )
    return Field(name, DType.CATEGORY, nullable=nullable, categories=tuple(categories))


def rows_from_frame(frame: Any, fields: Sequence[Field]) -> list[Row]:
    """The rows of a pandas data frame as JSON has them: plain Python values, null for missing, times as RFC 3339."""
    columns: dict[str, list[Any]] = {}
    for item in fields:
        series = frame[item.name]
        write: Callable[[Any], Any] = _written_time if item.dtype is DType.DATETIME else lambda value: value
        pairs = zip(series.tolist(), series.isna().tolist(), strict=True)
        columns[item.name] = [None if missing else write(value) for value, missing in pairs]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _written_time(moment: Any) -> str:
    aware = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    return to_rfc3339(aware.to_pydatetime(warn=False))


def example_rows(rows: Sequence[Row], rows_max: int) -> list[Row]:
    """The first rows, at most ``rows_max``, and one more for each column whose first null comes later.

    So the types inferred from this choice are those of all the rows.
    """
    chosen = list(rows[:rows_max])
    for name in {name: None for row in rows for name in row}:
        if all(row.get(name) is not None for row in chosen):
            chosen.extend([row for row in rows[rows_max:] if row.get(name) is None][:1])
    return chosen
