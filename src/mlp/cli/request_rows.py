"""Turns the rows of a file into rows and keys of a request, and the server's refusals back into lines of the file."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mlp.cli.cells import CellReader
from mlp.cli.formats import RowFormat
from mlp.cli.row_files import Row, RowFile
from mlp.client.results import Signature
from mlp.errors import BadInput

#: Where the server's messages name a row of the request, from 0.
_ROW_OF_REQUEST = re.compile(r"^(input '[^']*', )?row (\d+)\b")


class RequestReader:
    """Turns rows of a file into the rows and keys of a request.

    Args:
        key: The column or member that holds the key of a row, if any.
    """

    def __init__(self, file: RowFile, key: str | None) -> None:
        self._file = file
        self._key = key
        self._is_key_input = False
        self._cells: CellReader | None = None

    @property
    def needs_signature(self) -> bool:
        """Whether ``fit`` must be called before rows are read."""
        return self._key is not None or self._file.format is RowFormat.CSV

    def fit(self, signature: Signature, *, is_extra_ignored: bool = False, missing: Sequence[str] = ()) -> None:
        """Learns the inputs: a key that is none is left out of the row, the cells of a CSV get their types.

        Raises:
            SignatureMismatch: The columns of a CSV are not those of the model.
        """
        self._is_key_input = any(field.name == self._key for field in signature.inputs)
        if self._file.format is RowFormat.CSV:
            apart = [] if self._key is None else [self._key]
            self._cells = CellReader(
                signature, self._file, set_apart=apart, is_extra_ignored=is_extra_ignored, missing=missing
            )

    def read(self, chunk: Sequence[Row]) -> tuple[list[Any], list[str] | None]:
        """The values of the rows in JSON form, and their keys where there are any.

        Raises:
            BadInput: A row without key, or with cells that do not fit; named with its line.
        """
        keys = [key for key in map(self._key_of, chunk) if key is not None]
        values = [self._values(row) for row in chunk] if self._cells is None else self._cells.read(chunk)
        return values, keys if keys else None

    def _key_of(self, row: Row) -> str | None:
        if self._key is None:
            return row.key
        key = row.values.get(self._key) if isinstance(row.values, dict) else None
        if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
            place = f"{self._file.title}, {self._file.unit} {row.number}"
            raise BadInput(f"{place}: there is no key, '{self._key}' must be text or a whole number")
        return str(key)

    def _values(self, row: Row) -> Any:
        if self._is_key_input or not isinstance(row.values, dict):
            return row.values
        return {name: value for name, value in row.values.items() if name != self._key}


@contextmanager
def errors_in_the_file(file: RowFile, chunk: Sequence[Row]) -> Iterator[None]:
    """Within it, an error that names a row of the request names the line of the file instead.

    Args:
        chunk: The rows of the request.
    """
    try:
        yield
    except BadInput as error:
        found = _ROW_OF_REQUEST.match(error.message)
        if found is None or int(found[2]) >= len(chunk):
            raise
        place = f"{found[1] or ''}{file.unit} {chunk[int(found[2])].number}"
        raise type(error)(f"{file.title}: {place}{error.message[found.end() :]}", **error.extra) from error
