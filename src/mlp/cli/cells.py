"""Turns the text cells of a CSV into the types of a model's signature; nothing is guessed, nothing dropped.

A cell that does not fit is named with its line. Bounds and categories are left to the server.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import msgspec

from mlp.cli.row_files import Row, RowFile, delimiter_hint
from mlp.client.results import Field, Signature
from mlp.clock import from_rfc3339
from mlp.errors import BadInput, SignatureMismatch

#: Of the cells that do not fit so many are shown: enough to see what they have in common.
WRONG_CELLS_SHOWN = 10

_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]{1,40})(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}
#: By these other programs mean a missing value; the message then tells how to have them read so.
_USUALLY_MISSING = frozenset({"na", "n/a", "nan", "null", "none", "nil", "-", "?", "\\n"})

#: Reads the text of a cell; ValueError says what was expected.
_ReadCell = Callable[[str], Any]


class CellReader:
    """Reads the rows of one CSV for one signature.

    Args:
        set_apart: Columns that were asked for by name, such as the key: where they are no inputs they are left out.
        is_extra_ignored: Other columns that are no inputs are left out too, as the caller has said.
        missing: Texts that stand for a missing value, besides the empty cell.

    Raises:
        SignatureMismatch: A column is lacking, or one too many.
    """

    def __init__(
        self,
        signature: Signature,
        file: RowFile,
        *,
        set_apart: Iterable[str] = (),
        is_extra_ignored: bool = False,
        missing: Iterable[str] = (),
    ) -> None:
        names = () if file.names is None else file.names
        _check_lacking(signature, file.title, names)
        if signature.extra_columns == "refuse" and not is_extra_ignored:
            _check_extra(signature, file.title, names, set(set_apart))
        self._missing = frozenset({"", *missing})
        self._fields = [(field, _cell_reader(field)) for field in signature.inputs if field.name in names]

    def read(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The values of the rows in JSON form.

        Raises:
            SignatureMismatch: Cells do not fit; the message names the first of them with their lines.
        """
        wrong: list[str] = []
        values = [self._read_row(row, wrong) for row in rows]
        if wrong:
            more = len(wrong) - WRONG_CELLS_SHOWN
            raise SignatureMismatch(
                "\n".join(wrong[:WRONG_CELLS_SHOWN]) + (f"\nand {more} more cells that do not fit" if more > 0 else "")
            )
        return values

    def _read_row(self, row: Row, wrong: list[str]) -> dict[str, Any]:
        cells = cast(dict[str, str], row.values)  # so are the rows of every CSV
        values: dict[str, Any] = {}
        for field, read_cell in self._fields:
            try:
                values[field.name] = self._read_value(field, read_cell, cells[field.name])
            except ValueError as error:
                wrong.append(f"input '{field.name}', line {row.number}: {error}")
        return values

    def _read_value(self, field: Field, read_cell: _ReadCell, text: str) -> Any:
        if text not in self._missing:
            return read_cell(text)
        if field.nullable:
            return None
        if text == "" and _is_text(field):
            return ""
        raise ValueError(f"expected {field.dtype}, got an empty cell" if text == "" else f'"{text}" may not be missing')


def _check_lacking(signature: Signature, title: str, names: Sequence[str]) -> None:
    lacking = [field.name for field in signature.inputs if field.name not in names and not field.nullable]
    if lacking:
        raise SignatureMismatch(
            f"{title} has no column {_listed(lacking)}, which the model needs; "
            f"its columns are {_listed(names)}{delimiter_hint(names)}"
        )


def _check_extra(signature: Signature, title: str, names: Sequence[str], set_apart: set[str]) -> None:
    inputs = {field.name for field in signature.inputs}
    extra = [name for name in names if name not in inputs and name not in set_apart]
    if extra:
        raise SignatureMismatch(
            f"{title} has columns that are no inputs of the model: {_listed(extra)}; --ignore-extra leaves them out"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _is_text(field: Field) -> bool:
    return field.dtype in ("string", "category") and not field.shape


def _cell_reader(field: Field) -> _ReadCell:
    if _is_text(field):
        return str
    read_one = _nested if field.shape else _reader_of_dtype(field.dtype)

    def read_cell(text: str) -> Any:
        try:
            return read_one(text.strip())
        except ValueError as error:
            expected = str(error) or field.dtype
            advice = f" (--missing {text.strip()} reads it as missing)" if _means_missing(field, text) else ""
            raise ValueError(f'expected {expected}, got "{text}"{advice}') from None

    return read_cell


def _means_missing(field: Field, text: str) -> bool:
    return field.nullable and text.strip().lower() in _USUALLY_MISSING


def _reader_of_dtype(dtype: str) -> _ReadCell:
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
