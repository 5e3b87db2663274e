"""Writes the rows of a result: CSV with one set of columns for the whole file, or an object on each line.

Every row names its line in the file and its key; a bad row has its reason where the prediction would be.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from mlp.batches.batch import Options
from mlp.batches.choices import BatchFormat, Columns
from mlp.inference.answers import class_text
from mlp.signature import Signature, Task


class RowPlace(msgspec.Struct, frozen=True):
    """What a row of the result says besides its prediction: line, key, and the row as it stood in the file."""

    line: int
    key: str | None
    content: list[str] | str | None


class ResultWriter(Protocol):
    """Writes the part of one chunk."""

    def answer(self, place: RowPlace, prediction: dict[str, Any], inference_id: str, row: int) -> None:
        """Write a good row: its prediction in the form of /v1, and the recorded request and row that a label names."""

    def error(self, place: RowPlace, reason: str) -> None:
        """Write a bad row."""

    def text(self) -> str:
        """All that was written."""


def make_writer(signature: Signature, options: Options, header: Sequence[str] | None) -> ResultWriter:
    """The writer of the batch's format."""
    if options.format is BatchFormat.CSV:
        return _CSVWriter(signature, options, header or ())
    return _JSONLinesWriter(options)


def header_line(signature: Signature, options: Options, header: Sequence[str] | None) -> str:
    """The first line of a result, which names its columns; empty for JSON lines."""
    if options.format is not BatchFormat.CSV:
        return ""
    return _CSVWriter(signature, options, header or ()).header_line()


class _CSVWriter:
    def __init__(self, signature: Signature, options: Options, header: Sequence[str]) -> None:
        self._options = options
        self._given = _given_columns(options, header)
        self._predicted = _predicted_columns(signature)
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, delimiter=options.delimiter, lineterminator="\n")

    def header_line(self) -> str:
        """The titles; ours give way to a column of the file that has the same."""
        ids = () if self._options.key is not None else ("id", "row")
        line, *others = _apart(["line", *self._predicted, *ids, "error"], self._given)
        self._writer.writerow([line, *self._given, *others])
        return self._text.getvalue()

    def answer(self, place: RowPlace, prediction: dict[str, Any], inference_id: str, row: int) -> None:
        values = _flat(prediction)
        cells = [_cell(values.get(name)) for name in self._predicted]
        ids = [] if self._options.key is not None else [inference_id, str(row)]
        self._writer.writerow([place.line, *self._given_cells(place), *cells, *ids, ""])

    def error(self, place: RowPlace, reason: str) -> None:
        ids = [] if self._options.key is not None else ["", ""]
        self._writer.writerow([place.line, *self._given_cells(place), *[""] * len(self._predicted), *ids, reason])

    def text(self) -> str:
        return self._text.getvalue()

    def _given_cells(self, place: RowPlace) -> Sequence[str]:
        if self._options.columns is Columns.ALL:
            return place.content if isinstance(place.content, list) else [""] * len(self._given)
        return [] if self._options.key is None else ["" if place.key is None else place.key]


class _JSONLinesWriter:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._lines: list[bytes] = []

    def answer(self, place: RowPlace, prediction: dict[str, Any], inference_id: str, row: int) -> None:
        self._write({**self._of_place(place), **prediction, "id": inference_id, "row": row})

    def error(self, place: RowPlace, reason: str) -> None:
        self._write({**self._of_place(place), "error": reason})

    def text(self) -> str:
        return b"".join(self._lines).decode()

    def _of_place(self, place: RowPlace) -> dict[str, Any]:
        members: dict[str, Any] = {"line": place.line}
        if place.key is not None:
            members["key"] = place.key
        if self._options.columns is Columns.ALL and isinstance(place.content, str):
            members["input"] = _as_json(place.content)
        return members

    def _write(self, members: dict[str, Any]) -> None:
        self._lines.append(msgspec.json.encode(members) + b"\n")


def _as_json(text: str) -> Any:
    """The JSON of a line, or its text where it is none."""
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text
    return msgspec.Raw(text.encode())


def _given_columns(options: Options, header: Sequence[str]) -> list[str]:
    if options.columns is Columns.ALL:
        return list(header)
    return [] if options.key is None else [options.key]


def _predicted_columns(signature: Signature) -> list[str]:
    if signature.task is Task.REGRESSION:
        return ["value"]
    if signature.task is Task.TENSORS:
        return ["outputs"]
    has_probabilities = any(output.name == "probabilities" for output in signature.outputs)
    classes = (signature.classes or ()) if has_probabilities else ()
    return ["label", *(f"probability_{class_text(label)}" for label in classes)]


def _apart(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The names, those that are taken with ``mlp_`` before them, as often as it needs."""
    found = []
    for name in names:
        while name in taken:
            name = f"mlp_{name}"
        found.append(name)
    return found


def _flat(prediction: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in prediction.items() if name != "probabilities"}
    for label, probability in prediction.get("probabilities", {}).items():
        values[f"probability_{label}"] = probability
    return values


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else repr(value)
