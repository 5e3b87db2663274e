"""Rows as JSON carries them, from a DataFrame, a two-dimensional array, or a sequence of dicts or lists.

A missing value (None, NaN, NaT, NA) becomes null, a time RFC 3339 text, a number of numpy the number. A time
without zone is taken as UTC, which is also how a version's own code sees it again. Infinity is refused: JSON has none.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeGuard

from mlp.client.exchange import native
from mlp.clock import to_rfc3339
from mlp.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

#: One row: values by name, or in the order of the signature.
JSONRow = dict[str, Any] | list[Any]
#: What the methods of the client take as rows: a DataFrame, an array [rows, columns], or dicts or lists.
Rows = Any

_PLAIN = frozenset({str, int, bool, type(None)})


def is_frame(rows: object) -> "TypeGuard[pd.DataFrame]":
    """Whether this is a pandas DataFrame; pandas is not imported to find out."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def is_array(rows: object) -> bool:
    """Whether this is a numpy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(rows, numpy.ndarray)


def json_rows(rows: Rows) -> list[JSONRow]:
    """The rows in JSON form, in their order; a DataFrame's index is left out.

    Raises:
        BadInput: Not rows, or a value that JSON cannot carry, with its row and name.
    """
    if is_frame(rows):
        return list(rows_of_frame(rows))
    if is_array(rows):
        if rows.ndim != 2:
            raise BadInput(f"rows need an array of two dimensions, got {rows.ndim}")
        rows = native(rows)
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise BadInput(f"rows are a list of dicts or lists, or a DataFrame; got {type(rows).__name__}")
    return [_json_row(row, index) for index, row in enumerate(rows)]


def rows_of_frame(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a DataFrame as dicts by column name.

    Raises:
        BadInput: A column without a text name, a name that stands twice, or a value JSON cannot carry.
    """
    names = frame_names(frame)
    columns = [_json_column(frame[name], name) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def frame_names(frame: "pd.DataFrame") -> list[str]:
    """Names of the columns.

    Raises:
        BadInput: One is no text, or stands twice: inputs are called by their names.
    """
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise BadInput(
                f"column {name!r} of the DataFrame is not named by text: frame.columns = frame.columns.astype(str)"
            )
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"column '{twice}' stands twice in the DataFrame: keep one of them")
    return names


def _json_column(column: "pd.Series[Any]", name: str) -> list[Any]:
    if column.dtype.kind in "iub" and not column.hasnans:
        values: list[Any] = column.tolist()
        return values
    missing = column.isna().tolist()
    return [
        None if is_missing else json_value(value, row, name)
        for row, (value, is_missing) in enumerate(zip(column.tolist(), missing, strict=True))
    ]


def _json_row(row: Any, index: int) -> JSONRow:
    if isinstance(row, Mapping):
        for name in row:
            if not isinstance(name, str):
                raise BadInput(f"row {index}: {name!r} is not the name of an input")
        return {name: json_value(value, index, name) for name, value in row.items()}
    if is_array(row):
        row = native(row)
    if isinstance(row, Sequence) and not isinstance(row, str | bytes):
        return [json_value(value, index, position) for position, value in enumerate(row)]
    raise BadInput(f"row {index}: expected a dict or a list, got {type(row).__name__}")


def json_value(value: Any, row: int, name: str | int) -> Any:
    """One value as JSON carries it; missing ones are None.

    Raises:
        BadInput: Infinity, or a type that JSON cannot carry, naming row and input.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return _finite(float(value), row, name)
    if isinstance(value, datetime):
        return _time_text(value)
    if isinstance(value, list | tuple):
        return [json_value(item, row, name) for item in value]
    if isinstance(value, str | int):
        return value  # a str or int of a subclass, such as an enum member
    return _foreign_value(value, row, name)


def _finite(value: float, row: int, name: str | int) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise BadInput(f"input '{name}', row {row}: {value} cannot be sent; JSON has finite numbers only")
    return value


def _time_text(moment: datetime) -> str | None:
    if moment != moment:  # pandas.NaT is a datetime that does not equal itself
        return None
    return to_rfc3339(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def _foreign_value(value: Any, row: int, name: str | int) -> Any:
    """Scalars and arrays of numpy, and pandas.NA; nothing else."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and value is pandas.NA:
        return None
    try:
        return json_value(native(value), row, name)
    except TypeError:
        raise BadInput(f"input '{name}', row {row}: a {type(value).__name__} cannot be sent as JSON") from None
