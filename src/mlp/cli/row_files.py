"""Reads rows from files and standard input, one after the other: CSV (RFC 4180), JSON, JSON lines.

Every row knows its line (in a JSON document its index), so that what is wrong with it can be found. What the cells
of a CSV mean is the business of ``cells``.
"""

import codecs
import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import msgspec
import typer

from mlp.cells import likely_delimiter
from mlp.cli.formats import RowFormat
from mlp.errors import BadInput

Values = dict[str, Any] | list[Any]


_FORMATS = {
    ".csv": RowFormat.CSV,
    ".tsv": RowFormat.CSV,
    ".json": RowFormat.JSON,
    ".jsonl": RowFormat.JSONL,
    ".ndjson": RowFormat.JSONL,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        number: The line where it begins, from 1; in a JSON document its index, from 0.
        values: By name, or in order. From a CSV all of them are text, exactly as it stands there.
        key: What a JSON document says of the row in its ``keys``.
    """

    number: int
    values: Values
    key: str | None = None


@dataclass(frozen=True, slots=True)
class RowFile:
    """The rows of an open file, read once as they are asked for.

    Attributes:
        title: What messages call the file.
        names: The columns of a CSV in their order; None else.
    """

    title: str
    format: RowFormat
    names: tuple[str, ...] | None
    rows: Iterator[Row]

    @property
    def unit(self) -> str:
        """What the number of a row counts."""
        return "row" if self.format is RowFormat.JSON else "line"

    def chunks(self, rows_max: int) -> Iterator[list[Row]]:
        """The rows in lists of at most that many.

        Raises:
            BadInput: The file cannot be read on, or a row is malformed.
        """
        while chunk := list(islice(self.rows, rows_max)):
            yield chunk


def delimiter_hint(names: Sequence[str]) -> str:
    """What a message adds where a line of titles was cut at the wrong character; empty where it seems right."""
    likely = likely_delimiter(names)
    return {None: "", "\t": ": add --delimiter $'\\t'"}.get(likely, f": add --delimiter '{likely}'")


@contextmanager
def opened(path: Path, row_format: RowFormat | None = None, delimiter: str | None = None) -> Iterator[RowFile]:
    """The rows of a file, or of standard input for ``-``.

    Args:
        row_format: None goes by the name of the file, and by the first character of standard input.
        delimiter: What stands between the cells of a CSV: None is a tab in ``.tsv``, else a comma.

    Raises:
        BadInput: It cannot be read, or is malformed; also while its rows are read, naming the line.
    """
    if str(path) == "-":
        yield _row_file("standard input", sys.stdin.buffer, _format_of_stream(row_format), delimiter or ",")
        return
    found = _format_of_name(path) if row_format is None else row_format
    tab_or_comma = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    with file:
        yield _row_file(str(path), file, found, delimiter or tab_or_comma)


def _format_of_name(path: Path) -> RowFormat:
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise typer.BadParameter(f"{path} ends in none of {', '.join(_FORMATS)}: add --format csv, json or jsonl")
    return found


def _format_of_stream(row_format: RowFormat | None) -> RowFormat:
    if row_format is not None:
        return row_format
    start = cast(io.BufferedReader, sys.stdin.buffer).peek(1).lstrip()
    # What begins with { may also be JSON lines; _read_json finds out.
    return RowFormat.JSON if start[:1] in (b"{", b"[") else RowFormat.CSV


def _row_file(title: str, file: Any, row_format: RowFormat, delimiter: str) -> RowFile:
    if row_format is RowFormat.CSV:
        return _read_csv(title, file, delimiter)
    if row_format is RowFormat.JSONL:
        return RowFile(title, row_format, None, _json_lines(title, file))
    return _read_json(title, file)


def _read_csv(title: str, file: Any, delimiter: str) -> RowFile:
    if len(delimiter) != 1:
        raise typer.BadParameter(f'--delimiter "{delimiter}" is not one character')
    reader = csv.reader(codecs.iterdecode(file, "utf-8-sig"), delimiter=delimiter, strict=True)
    lines = _numbered(title, reader)
    _line, names = next(lines, (1, []))
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{title} has two columns '{name}': rename one of them")
    if not any(names):
        raise BadInput(f"{title} has no first line that names its columns")
    return RowFile(title, RowFormat.CSV, tuple(names), _csv_rows(title, lines, names))


def _numbered(title: str, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV that are not empty, with the number of the line where each begins."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInput(f"{title}, line {line}: {error}") from error
        except UnicodeDecodeError as error:
            raise BadInput(f"{title}, line {line}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
        except OSError as error:
            raise BadInput(f"{title}, line {line}: it cannot be read on: {error.strerror}") from error
        if cells:
            yield line, cells


def _csv_rows(title: str, lines: Iterator[tuple[int, list[str]]], names: list[str]) -> Iterator[Row]:
    for line, cells in lines:
        if len(cells) != len(names):
            raise BadInput(f"{title}, line {line}: expected {len(names)} cells, got {len(cells)}")
        yield Row(line, dict(zip(names, cells, strict=True)))


def _json_lines(title: str, lines: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Row(number, msgspec.json.decode(line, type=Values))
        except msgspec.MsgspecError as error:
            raise BadInput(f"{title}, line {number}: not a row as JSON: {error}") from error


def _read_json(title: str, file: Any) -> RowFile:
    """A document: a list of rows, an object with ``rows`` as in the body of a prediction, or one row."""
    text: bytes = file.read()
    try:
        document = msgspec.json.decode(text, type=list[Values] | dict[str, Any])
    except msgspec.MsgspecError as error:
        lines = text.splitlines()
        if len(lines) > 1 and _is_json(lines[0]):
            return RowFile(title, RowFormat.JSONL, None, _json_lines(title, lines))
        raise BadInput(f"{title} is not JSON with rows: {error}") from error
    if isinstance(document, dict):
        return RowFile(title, RowFormat.JSON, None, _rows_of_object(title, document))
    return RowFile(title, RowFormat.JSON, None, iter([Row(index, each) for index, each in enumerate(document)]))


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return False
    return True


def _rows_of_object(title: str, document: dict[str, Any]) -> Iterator[Row]:
    if not isinstance(document.get("rows"), list):
        return iter([Row(0, document)])
    try:
        rows = msgspec.convert(document["rows"], list[Values])
        keys = msgspec.convert(document.get("keys"), list[str] | None)
    except msgspec.MsgspecError as error:
        raise BadInput(f"{title} does not hold rows: {error}") from error
    if keys is None:
        return iter([Row(index, each) for index, each in enumerate(rows)])
    if len(keys) != len(rows):
        raise BadInput(f"{title} has {len(rows)} rows and {len(keys)} keys: give as many keys as rows")
    return iter([Row(index, each, key) for index, (each, key) in enumerate(zip(rows, keys, strict=True))])
