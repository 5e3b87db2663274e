"""Cuts a file that arrives in blocks into its rows, each with its line; never more than one row beyond a block is held.

CSV by RFC 4180, read by Python's ``csv`` in its strict form; JSON lines by https://jsonlines.org. What the values of a
row mean is not decided here: a row that cannot be read at all carries its fault.
"""

import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from mlp.cells import likely_delimiter
from mlp.errors import BodyTooLarge, MalformedBody

#: A longer row is taken for a quote that is never closed; it is held in memory.
ROW_BYTES_MAX = 16 * 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_UTF8 = "not UTF-8 text: save the file as UTF-8"


class FileRow(NamedTuple):
    """One row of a file.

    Attributes:
        line: Where it begins, counted from 1.
        content: Its cells, or the text of a JSON line; None if it could not be read.
        fault: Why not.
        size_bytes: What it takes in the file.
    """

    line: int
    content: list[str] | str | None
    fault: str | None
    size_bytes: int


class FileReader(Protocol):
    """Reads one file, for one thread at a time."""

    @property
    def header(self) -> tuple[str, ...] | None:
        """The columns of a CSV, whose rows are cells in their order; None before its first line is read, and else."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns that all rows have, once they are known; None for JSON lines, where each may have its own."""

    def feed(self, block: bytes) -> Iterator[FileRow]:
        """The rows that end in this block; to be used up before the next one.

        Raises:
            MalformedBody: The file as a whole cannot be read on.
            BodyTooLarge: A row is larger than ROW_BYTES_MAX.
        """

    def end(self) -> Iterator[FileRow]:
        """The last row, if the file does not end with a line break.

        Raises:
            MalformedBody: The file ends within a row, or is empty.
        """

    def close(self) -> None:
        """Free what it holds; may be called at any time, and twice."""


class _Lines:
    """Blocks of bytes cut into lines, each with its line break; the mark that begins some UTF-8 files is left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._has_begun = False
        self.count = 0

    def feed(self, block: bytes) -> list[bytes]:
        parts = (self._rest + block).split(b"\n")
        self._rest = parts.pop()
        if len(self._rest) > ROW_BYTES_MAX:
            raise _row_too_large(self.count + len(parts) + 1)
        return self._cut([part + b"\n" for part in parts])

    def end(self) -> list[bytes]:
        rest, self._rest = self._rest, b""
        return self._cut([rest] if rest else [])

    def _cut(self, lines: list[bytes]) -> list[bytes]:
        self.count += len(lines)
        if lines and not self._has_begun:
            self._has_begun = True
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        return lines


class _Texts:
    """The lines that csv's reader asks for: it notes what a row has taken, so that half a row can be put back."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self.line = 1
        self.size_bytes = 0
        self.is_starved = False
        self.is_broken_text = False

    def add(self, lines: list[bytes]) -> None:
        self._waiting.extend(lines)

    def begin_row(self) -> None:
        """The row before has ended; the next one begins on the line that follows."""
        self.line += len(self._taken)
        self._taken.clear()
        self.size_bytes = 0
        self.is_starved = self.is_broken_text = False

    def put_back(self) -> None:
        """Half a row was taken: it begins again when more has arrived."""
        self._waiting.extendleft(reversed(self._taken))
        self._taken.clear()

    def __iter__(self) -> "_Texts":
        return self

    def __next__(self) -> str:
        if not self._waiting:
            self.is_starved = True
            raise StopIteration
        line = self._waiting.popleft()
        self._taken.append(line)
        self.size_bytes += len(line)
        if self.size_bytes > ROW_BYTES_MAX:
            raise _row_too_large(self.line)
        try:
            return line.decode()
        except UnicodeDecodeError:
            # The row is read to its end all the same: its quotes say where the next one begins.
            self.is_broken_text = True
            return line.decode(errors="replace")


class CSVReader:
    """Reads a CSV whose first line names the columns; line breaks within quotes may lie in different blocks."""

    def __init__(self, delimiter: str) -> None:
        # csv's own limit on a cell, 128 KiB and one for the process, would refuse texts that a row may well hold.
        csv.field_size_limit(ROW_BYTES_MAX)
        self._lines = _Lines()
        self._texts = _Texts()
        self._reader = csv.reader(self._texts, delimiter=delimiter, strict=True)
        self.header: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...] | None:
        return self.header

    def feed(self, block: bytes) -> Iterator[FileRow]:
        self._texts.add(self._lines.feed(block))
        return self._rows(is_last=False)

    def close(self) -> None:
        return

    def end(self) -> Iterator[FileRow]:
        self._texts.add(self._lines.end())
        yield from self._rows(is_last=True)
        if self.header is None:
            raise MalformedBody("the file is empty: its first line must name the columns")

    def _rows(self, *, is_last: bool) -> Iterator[FileRow]:
        texts = self._texts
        while True:
            texts.begin_row()
            fault = None
            cells: list[str] = []
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                if texts.is_starved and not is_last:
                    texts.put_back()
                    return
                if texts.is_starved:
                    raise MalformedBody(f"line {texts.line}: a quote opens there and is never closed") from error
                fault = str(error)
            if cells or fault is not None:
                row = self._row(cells, _NOT_UTF8 if texts.is_broken_text else fault)
                if row is not None:
                    yield row

    def _row(self, cells: list[str], fault: str | None) -> FileRow | None:
        """The row; None for the line of titles, which is kept."""
        texts = self._texts
        if self.header is None:
            self.header = _checked_header(cells, texts.line, fault)
            return None
        if fault is None and len(cells) != len(self.header):
            fault = f"expected {len(self.header)} cells, got {len(cells)}"
        return FileRow(texts.line, None if fault is not None else cells, fault, texts.size_bytes)


class JSONLinesReader:
    """Reads a file with a row as JSON on each line; empty lines are passed over."""

    header: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None

    def __init__(self) -> None:
        self._lines = _Lines()
        self._line = 0
        self._has_begun = False

    def feed(self, block: bytes) -> Iterator[FileRow]:
        return self._rows(self._lines.feed(block))

    def end(self) -> Iterator[FileRow]:
        return self._rows(self._lines.end())

    def close(self) -> None:
        return

    def _rows(self, lines: list[bytes]) -> Iterator[FileRow]:
        for line in lines:
            self._line += 1
            stripped = line.strip()
            if not stripped:
                continue
            if not self._has_begun and stripped in (b"[", b"{"):
                raise MalformedBody("the file is a JSON document over several lines: write one row on each line")
            self._has_begun = True
            try:
                yield FileRow(self._line, stripped.decode(), None, len(line))
            except UnicodeDecodeError:
                yield FileRow(self._line, None, _NOT_UTF8, len(line))


def _checked_header(names: list[str], line: int, fault: str | None) -> tuple[str, ...]:
    if fault is not None:
        raise MalformedBody(f"line {line}, which names the columns: {fault}")
    if not any(names):
        raise MalformedBody(f"line {line} does not name the columns")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MalformedBody(f"the file has two columns '{twice}': rename one of them")
    return tuple(names)


def delimiter_advice(names: tuple[str, ...]) -> str:
    """What a message adds where the line of titles was cut at the wrong character; empty where it seems right."""
    likely = likely_delimiter(names)
    return "" if likely is None else f": add delimiter={'%09' if likely == chr(9) else likely}"


def _row_too_large(line: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"line {line} begins a row of more than {ROW_BYTES_MAX >> 20} MiB: is a quote opened there and never closed?"
    )
