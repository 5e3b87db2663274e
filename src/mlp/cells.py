"""Reads the text of one cell of a CSV in the type of an input; nothing is guessed, nothing dropped.

For the command line and for batch files alike. Bounds and categories are left to the signature's own check.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from mlp.clock import from_rfc3339
from mlp.errors import BadInput

_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]{1,40})(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}
#: By these other programs mean a missing value; the message then tells how to have them read so.
_USUALLY_MISSING = frozenset({"na", "n/a", "nan", "null", "none", "nil", "-", "?", "\\n"})

#: Reads the text of a cell; ValueError says what was expected.
ReadCell = Callable[[str], Any]


class CellField(Protocol):
    """An input as far as its cells need it: a field of the client's signature, or of the server's."""

    @property
    def name(self) -> str:
        """The input's name."""

    @property
    def dtype(self) -> str:
        """Its type, such as ``float64``."""

    @property
    def nullable(self) -> bool:
        """Whether it may be missing."""

    @property
    def shape(self) -> Sequence[int]:
        """Empty for a plain column."""


def cell_reader(field: CellField, *, missing: Iterable[str], option: str) -> ReadCell:
    """The function that reads the cells of one column into values in JSON form.

    Args:
        missing: Texts that stand for a missing value, besides the empty cell.
        option: What tells that a text means missing, for messages: ``--missing`` or ``missing=``.
    """
    missing_texts = frozenset({"", *missing})
    read_one = _reader_of(field, option)
    is_text = _is_text(field)
    nullable, dtype = field.nullable, str(field.dtype)

    def read(text: str) -> Any:
        if text not in missing_texts:
            return read_one(text)
        if nullable:
            return None
        if text == "" and is_text:
            return ""
        raise ValueError(f"expected {dtype}, got an empty cell" if text == "" else f'"{text}" may not be missing')

    return read


def lacking_columns(fields: Iterable[CellField], names: Sequence[str]) -> list[str]:
    """The inputs that must be given and are no column of the file."""
    return [field.name for field in fields if field.name not in names and not field.nullable]


def extra_columns(fields: Iterable[CellField], names: Sequence[str], set_apart: Iterable[str]) -> list[str]:
    """The columns of the file that are no inputs, but for those that were asked for by name."""
    known = {field.name for field in fields} | set(set_apart)
    return [name for name in names if name not in known]


def listed(names: Iterable[str]) -> str:
    """Names of columns as a message shows them."""
    return ", ".join(f"'{name}'" for name in names)


def likely_delimiter(names: Sequence[str]) -> str | None:
    """What seems to stand between the cells, where a line of titles was cut at the wrong character; else None."""
    if len(names) != 1:
        return None
    return next((character for character in ";\t|" if character in names[0]), None)


def _is_text(field: CellField) -> bool:
    return field.dtype in ("string", "category") and not field.shape


def _reader_of(field: CellField, option: str) -> ReadCell:
    if _is_text(field):
        return str
    dtype, nullable = str(field.dtype), field.nullable
    read_one = _nested if field.shape else _reader_of_dtype(dtype)

    def read_cell(text: str) -> Any:
        stripped = text.strip()
        try:
            return read_one(stripped)
        except ValueError as error:
            expected = str(error) or dtype
            is_missing = nullable and stripped.lower() in _USUALLY_MISSING
            advice = f" ({option}{stripped} reads it as missing)" if is_missing else ""
            raise ValueError(f'expected {expected}, got "{text}"{advice}') from None

    return read_cell


def _reader_of_dtype(dtype: str) -> ReadCell:
    if dtype.startswith(("int", "uint")):
        return _whole_number
    if dtype.startswith("float"):
        return _number
    return {"bool": _truth, "datetime": _time}.get(dtype, str)


def _whole_number(text: str) -> int:
    # 3.0 is a whole number to JSON, and what pandas writes for a column that has missing values.
    found = _WHOLE_NUMBER.fullmatch(text)
    if found is None:
        raise ValueError
    return int(found[1])


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError
    value = float(text)
    if math.isinf(value):
        raise ValueError("a finite number")
    return value


def _truth(text: str) -> bool:
    truth = _TRUTHS.get(text.lower())
    if truth is None:
        raise ValueError("bool (true, false, 1 or 0)")
    return truth


def _time(text: str) -> str:
    try:
        from_rfc3339(text)
    except BadInput:
        raise ValueError("an RFC 3339 time with an offset, such as 2026-03-01T12:00:00Z") from None
    return text


def _nested(text: str) -> Any:
    try:
        return msgspec.json.decode(text, type=list[Any])
    except msgspec.MsgspecError:
        raise ValueError("a list as JSON") from None
