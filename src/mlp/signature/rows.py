"""Reads rows of a request (objects by name, or lists in order) and checks each value against the signature.

The common case, right types in every column, is decided by one look-up of the row's tuple of types; only rows
of a new form, and columns with bounds, categories or times, are looked at value by value.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import numpy as np

from mlp.clock import from_rfc3339, micros
from mlp.errors import BadInput, SignatureMismatch
from mlp.signature.batch import RowValues
from mlp.signature.fields import FLOATS, INTEGERS, NUMPY_DTYPES, DType, Field, Signature

#: Reads one value: returns it in the type of the field, or raises SignatureMismatch naming input and row.
ValueReader = Callable[[Any, int], Any]

_FORMS_MAX = 1024  # type tuples remembered per signature; a client that varies more loses only speed


class RowReader:
    """Reads the rows of requests for one signature; keep one per version, it learns the usual forms of a row.

    Safe for use by several threads: what it remembers is only ever added to.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._names = signature.input_names
        self._pick = _picker(self._names)
        self._readers = [value_reader(item) for item in signature.inputs]
        self._always = {index for index, item in enumerate(signature.inputs) if _needs_a_look(item)}
        # For each form of row seen: the positions whose values must be looked at or converted.
        self._known_forms: dict[tuple[type, ...], tuple[int, ...]] = {}

    def read(self, rows: Sequence[Any]) -> list[RowValues]:
        """The checked values of each row, in the order of the inputs.

        Raises:
            SignatureMismatch: The first value that does not fit, with its input, row (from 0) and value.
        """
        return [self._row(row, index) for index, row in enumerate(rows)]

    def _row(self, row: Any, index: int) -> RowValues:
        values = self._values(row, index)
        form = tuple(map(type, values))
        positions = self._known_forms.get(form)
        if positions is None:
            return self._new_form(values, form, index)
        if not positions:
            return values
        read = list(values)
        for position in positions:
            read[position] = self._readers[position](read[position], index)
        return tuple(read)

    def _values(self, row: Any, index: int) -> RowValues:
        if type(row) is dict:
            try:
                values = self._pick(row)
            except KeyError:
                values = self._with_nulls(row, index)
            if len(row) > len(self._names):
                self._refuse_extra(row, index)
            return values
        if type(row) is list:
            if len(row) != len(self._names):
                raise SignatureMismatch(f"row {index}: expected {len(self._names)} values, got {len(row)}")
            return tuple(row)
        raise SignatureMismatch(f"row {index}: expected an object or a list, got {shown(row)}")

    def _with_nulls(self, row: dict[str, Any], index: int) -> RowValues:
        for item in self._signature.inputs:
            if item.name not in row and not item.nullable:
                raise SignatureMismatch(f"input '{item.name}', row {index}: missing, and it may not be null")
        self._refuse_extra(row, index)
        return tuple(row.get(name) for name in self._names)

    def _refuse_extra(self, row: dict[str, Any], index: int) -> None:
        if self._signature.extra_columns == "ignore":
            return
        for name in row:
            if name not in self._signature.inputs_by_name:
                raise SignatureMismatch(
                    f"row {index}: '{name}' is not an input of this model; its inputs are {', '.join(self._names)}"
                )

    def _new_form(self, values: RowValues, form: tuple[type, ...], index: int) -> RowValues:
        read = tuple(reader(value, index) for reader, value in zip(self._readers, values, strict=True))
        if len(self._known_forms) < _FORMS_MAX:
            converted = {position for position, value in enumerate(read) if type(value) is not form[position]}
            self._known_forms[form] = tuple(sorted(converted | self._always))
        return read


def _picker(names: tuple[str, ...]) -> Callable[[dict[str, Any]], RowValues]:
    if len(names) == 1:
        only = names[0]
        return lambda row: (row[only],)
    if not names:
        return lambda _row: ()
    return itemgetter(*names)


def _needs_a_look(item: Field) -> bool:
    """Whether the type of a value alone cannot tell that it fits."""
    has_bounds = item.minimum is not None or item.maximum is not None
    is_narrow = item.dtype in INTEGERS or item.dtype is DType.DATETIME
    refuses_unknown = item.dtype is DType.CATEGORY and item.unknown == "refuse"
    return has_bounds or is_narrow or refuses_unknown or bool(item.shape) or item.dtype in _RANGED_FLOATS


_RANGED_FLOATS = frozenset({DType.FLOAT16, DType.FLOAT32})


def shown(value: Any) -> str:
    """A value as a message shows it: JSON form, at most 60 characters."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def value_reader(item: Field) -> ValueReader:
    """The function that reads one value of a field."""
    read_one = _element_reader(item)
    if item.shape:
        return _nested_reader(item, read_one)
    if not item.nullable:
        return read_one

    def read_nullable(value: Any, row: int) -> Any:
        return None if value is None else read_one(value, row)

    return read_nullable


def _element_reader(item: Field) -> ValueReader:
    if item.dtype in INTEGERS:
        return _integer_reader(item)
    if item.dtype in FLOATS:
        return _float_reader(item)
    if item.dtype is DType.BOOL:
        return _bool_reader(item)
    if item.dtype is DType.DATETIME:
        return _datetime_reader(item)
    return _text_reader(item)


def _refusal(item: Field, row: int, value: Any, expected: str | None = None) -> SignatureMismatch:
    wanted = item.dtype.value if expected is None else expected
    return SignatureMismatch(f"input '{item.name}', row {row}: expected {wanted}, got {shown(value)}")


def _check_bounds(item: Field, value: float, row: int) -> None:
    if item.minimum is not None and value < item.minimum:
        raise _refusal(item, row, value, f"at least {item.minimum:g}")
    if item.maximum is not None and value > item.maximum:
        raise _refusal(item, row, value, f"at most {item.maximum:g}")


def _integer_reader(item: Field) -> ValueReader:
    limits = np.iinfo(NUMPY_DTYPES[item.dtype])
    smallest, largest = int(limits.min), int(limits.max)

    def read_integer(value: Any, row: int) -> int:
        if type(value) is not int:
            # JSON has one kind of number: 3.0 is the integer 3 (RFC 8259 section 6).
            if type(value) is not float or not value.is_integer():
                raise _refusal(item, row, value)
            value = int(value)
        if not smallest <= value <= largest:
            raise _refusal(item, row, value, f"{item.dtype.value} between {smallest} and {largest}")
        _check_bounds(item, value, row)
        return int(value)

    return read_integer


def _float_reader(item: Field) -> ValueReader:
    largest = float(np.finfo(NUMPY_DTYPES[item.dtype]).max)

    def read_float(value: Any, row: int) -> float:
        if type(value) is not float:
            if type(value) is not int:
                raise _refusal(item, row, value)
            try:
                value = float(value)
            except OverflowError:
                raise _refusal(item, row, value, f"{item.dtype.value} of at most {largest:g}") from None
        if not -largest <= value <= largest:
            raise _refusal(item, row, value, f"a finite {item.dtype.value}")
        _check_bounds(item, value, row)
        return float(value)

    return read_float


def _bool_reader(item: Field) -> ValueReader:
    def read_bool(value: Any, row: int) -> bool:
        if type(value) is not bool:
            raise _refusal(item, row, value)
        return value

    return read_bool


def _text_reader(item: Field) -> ValueReader:
    allowed = None
    if item.dtype is DType.CATEGORY and item.unknown == "refuse" and item.categories is not None:
        allowed = frozenset(item.categories)

    def read_text(value: Any, row: int) -> str:
        if type(value) is not str:
            raise _refusal(item, row, value)
        if allowed is not None and value not in allowed:
            raise _refusal(item, row, value, f"one of the {len(allowed)} categories of '{item.name}'")
        return value

    return read_text


def _datetime_reader(item: Field) -> ValueReader:
    def read_datetime(value: Any, row: int) -> np.datetime64:
        if type(value) is not str:
            raise _refusal(item, row, value, "an RFC 3339 time")
        try:
            moment: datetime = from_rfc3339(value)
        except BadInput:
            raise _refusal(item, row, value, "an RFC 3339 time with an offset, such as 2026-03-01T12:00:00Z") from None
        return np.datetime64(micros(moment), "us")

    return read_datetime


def _nested_reader(item: Field, read_one: ValueReader) -> ValueReader:
    def read_nested(value: Any, row: int) -> Any:
        return _read_level(value, item.shape, row)

    def _read_level(value: Any, shape: tuple[int, ...], row: int) -> Any:
        if not shape:
            return read_one(value, row)
        if type(value) is not list or (shape[0] != -1 and len(value) != shape[0]):
            raise _refusal(item, row, value, f"{item.dtype.value} of shape {list(item.shape)}")
        return [_read_level(element, shape[1:], row) for element in value]

    return read_nested
