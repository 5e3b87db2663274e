"""Reads the rows of a Parquet file, where pyarrow is installed; each becomes a row as JSON, numbered from 1.

A Parquet file says at its end where its columns are, so it is put aside on disk while it arrives, and cut when it is
whole; never more than some thousand rows of it are in memory.
"""

import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from mlp.batches.file_reader import FileRow
from mlp.errors import MalformedBody, UnsupportedFormat
from mlp.storage.disk import disk_errors

_ROWS_AT_ONCE = 1_000
_BUFFER_BYTES = 2**20
#: What pandas writes of a frame's index, which is no column to its author.
_INDEX_OF_PANDAS = re.compile(r"__index_level_\d+__")


def check_installed() -> None:
    """Returns where Parquet can be read.

    Raises:
        UnsupportedFormat: pyarrow is not installed.
    """
    _pyarrow()


class ParquetReader:
    """Reads one file.

    Args:
        folder: Where it is put aside, without a name: it is gone with the process, however that ends.
    """

    header: tuple[str, ...] | None = None

    def __init__(self, folder: Path) -> None:
        self._arrow = _pyarrow()
        self.columns: tuple[str, ...] | None = None
        with disk_errors():
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by close()

    def feed(self, block: bytes) -> Iterator[FileRow]:
        with disk_errors():
            self._file.write(block)
        return iter(())

    def end(self) -> Iterator[FileRow]:
        with disk_errors():
            self._file.flush()
            self._file.seek(0)
        try:
            yield from self._rows()
        except (self._arrow.lib.ArrowException, OSError) as error:
            raise MalformedBody(f"this is no Parquet file that can be read: {error}") from error

    def close(self) -> None:
        self._file.close()

    def _rows(self) -> Iterator[FileRow]:
        opened = self._arrow.parquet.ParquetFile(self._file, buffer_size=_BUFFER_BYTES)
        names = [name for name in opened.schema_arrow.names if _INDEX_OF_PANDAS.fullmatch(name) is None]
        self.columns = tuple(names)
        number = 0
        for batch in opened.iter_batches(_ROWS_AT_ONCE, columns=names):
            for row in batch.to_pylist():
                number += 1
                yield _row(number, row)


def _row(number: int, row: dict[str, Any]) -> FileRow:
    try:
        text = _encoder.encode(row).decode()
    except (TypeError, ValueError, OverflowError) as error:
        return FileRow(number, None, f"it has no JSON form: {error}", 100)
    return FileRow(number, text, None, len(text))


def _as_json(value: Any) -> Any:
    # pandas' own times, which pyarrow gives where both are installed.
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} is neither a number, nor text, nor a time")


_encoder = msgspec.json.Encoder(enc_hook=_as_json, decimal_format="number")


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UnsupportedFormat(
            "Parquet needs pyarrow, which is not installed on the server: pip install pyarrow, "
            "or write the file as CSV or JSON lines"
        ) from error
    return pyarrow
