"""Turns rows of a labels file into labels of a model: which prediction, what was true, and since when.

The text of a CSV is converted to the type of the model's classes; every conversion that could be meant otherwise is
counted, so that the caller can say it.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlp.cli.formats import RowFormat
from mlp.cli.row_files import Row
from mlp.client.results import Label, Scalar, Signature
from mlp.clock import from_rfc3339
from mlp.errors import BadInput

_TRUE, _FALSE = frozenset({"true", "1", "1.0"}), frozenset({"false", "0", "0.0"})  # 1.0: pandas, beside missing ones
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """Which columns of a labels file say what.

    Attributes:
        key: Your own key of a prediction; or ``id`` with ``row``, what MLP answered.
        label: What turned out to be true.
        time: Since when it is known; None: since now.
        zone: The time zone of times without an offset; None refuses them.
        source: What is recorded as the source of every label.
    """

    label: str
    key: str | None = None
    id: str | None = None
    row: str | None = None
    time: str | None = None
    zone: ZoneInfo | None = None
    source: str | None = None

    def named(self) -> list[str]:
        """The columns that the file must have."""
        return [name for name in (self.key, self.id, self.row, self.label, self.time) if name is not None]


class LabelReader:
    """Reads the rows of one labels file.

    Attributes:
        conversions: How often each text was read as a class that is written otherwise, by (text, class).
    """

    def __init__(self, columns: LabelColumns, signature: Signature, row_format: RowFormat) -> None:
        self._columns = columns
        self._signature = signature
        self._is_text = row_format is RowFormat.CSV
        self.conversions: Counter[tuple[str, str]] = Counter()

    def read(self, row: Row) -> Label:
        """The label of one row.

        Raises:
            BadInput: A value is lacking or cannot be read; the message says which, not where.
        """
        if not isinstance(row.values, dict):
            raise BadInput(f"expected an object with '{self._columns.label}', got a list")
        values = row.values
        return Label(
            label=self._label(_value(values, self._columns.label)),
            id=None if self._columns.id is None else _text(values, self._columns.id),
            row=0 if self._columns.row is None else _index(values, self._columns.row),
            key=None if self._columns.key is None else _text(values, self._columns.key),
            at=None if self._columns.time is None else self._time(_text(values, self._columns.time)),
            source=self._columns.source,
        )

    def _label(self, value: Any) -> Scalar:
        if not isinstance(value, str | int | float):
            raise BadInput(f"a label is text, a number, true or false, not {value!r}")
        if not self._is_text or not isinstance(value, str):
            return value  # JSON says the type itself; the server compares it with the classes
        if self._signature.classes is None:
            return _number(value)
        return self._class_of(value, self._signature.classes)

    def _class_of(self, text: str, classes: tuple[Scalar, ...]) -> Scalar:
        exact = [each for each in classes if written(each) == text]
        has_truths = set(classes) <= {0, 1}  # so are True and False
        found = exact if exact else [each for each in classes if _may_mean(text.strip(), each, has_truths)]
        if len(found) != 1:
            listed = ", ".join(map(written, classes))
            problem = "is no class of the model" if not found else "may be more than one class of the model"
            raise BadInput(f'"{text}" {problem}: {listed}')
        if not exact:
            self.conversions[text, written(found[0])] += 1
        return found[0]

    def _time(self, text: str) -> datetime | str:
        if self._columns.zone is None:
            return _time_with_offset(text)
        return _time_in_zone(text, self._columns.zone)


def written(label: Scalar) -> str:
    """A label as JSON writes it, text without quotes: ``true``, ``1``, ``1.5``, ``late``."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)


def _may_mean(text: str, label: Scalar, has_truths: bool) -> bool:
    """Whether a text can mean a label although the label is written otherwise."""
    if isinstance(label, str):
        return False
    if has_truths and text.lower() in (_TRUE if label else _FALSE):
        return True
    return not isinstance(label, bool) and _NUMBER.fullmatch(text) is not None and float(text) == label


def _value(values: dict[str, Any], name: str) -> Any:
    value = values.get(name)
    if value is None or value == "":
        raise BadInput(f"'{name}' is empty")
    return value


def _text(values: dict[str, Any], name: str) -> str:
    value = _value(values, name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadInput(f"'{name}' must be text, got {value!r}")
    return str(value)


def _index(values: dict[str, Any], name: str) -> int:
    text = _text(values, name)
    if re.fullmatch("[0-9]{1,9}", text) is None:
        raise BadInput(f"""'{name}' is the index of a row, from 0, got "{text}\"""")
    return int(text)


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text.strip()) is None:
        raise BadInput(f'expected a number, got "{text}"')
    return float(text)


def _time_with_offset(text: str) -> str:
    try:
        from_rfc3339(text)
    except BadInput as error:
        raise BadInput(f"{error.message}; --zone says in which zone times without an offset are") from None
    return text


def _time_in_zone(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f'"{text}" is not a time, such as 2026-03-01T12:00:00') from None
    if moment.tzinfo is not None:
        return moment
    local = moment.replace(tzinfo=zone)
    # PEP 495: the two folds differ when clocks are changed, and the time happens twice or not at all.
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise BadInput(f'"{text}" is twice or never in {zone.key}, where clocks are changed: give it an offset')
    return local


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name, such as ``Europe/Berlin``.

    Raises:
        BadInput: There is none of that name here.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(f'"{name}" is no time zone, such as UTC or Europe/Berlin') from error
