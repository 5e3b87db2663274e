"""Reads the rows of a batch file for one signature: values in JSON form, and the row's key; a bad row is one error."""

import re
from typing import Any

import msgspec

from mlp.batches.batch import Options
from mlp.batches.choices import BatchFormat
from mlp.batches.file_reader import delimiter_advice
from mlp.cells import ReadCell, cell_reader, extra_columns, lacking_columns, listed
from mlp.errors import BadInput, MalformedBody, SignatureMismatch
from mlp.inference.bodies import KEY_CHARACTERS_MAX
from mlp.signature import Signature
from mlp.signature.batch import RowValues
from mlp.signature.rows import RowReader

_CELLS_SHOWN = 3
#: Where the row reader's messages name the row, which is always the only one here.
_ONLY_ROW = re.compile(r"^(?:(input '.*?'), )?row 0: ", re.DOTALL)
_Row = dict[str, Any] | list[Any]


class ParsedRow(msgspec.Struct, frozen=True):
    """One good row: its values as JSON has them, checked and in the order of the inputs, and its key."""

    json: Any
    values: RowValues
    key: str | None


class RowParser:
    """Reads the rows of one file.

    Args:
        header: The columns of a CSV; None for rows as JSON.

    Raises:
        SignatureMismatch: A column is lacking, or one too many.
    """

    def __init__(self, signature: Signature, options: Options, header: tuple[str, ...] | None) -> None:
        self._options = options
        self._names = frozenset(signature.input_names)
        self._fits = RowReader(signature)
        self._columns: list[tuple[str, int, ReadCell]] = []
        self._key_index: int | None = None
        if header is not None:
            check_columns(signature, options, header)
            self._columns = [
                (item.name, header.index(item.name), cell_reader(item, missing=options.missing, option="missing="))
                for item in signature.inputs
                if item.name in header
            ]
            self._key_index = None if options.key is None else header.index(options.key)

    def read(self, content: list[str] | str) -> ParsedRow:
        """The row.

        Raises:
            BadInput: It does not parse or does not fit; the message says why, and not where.
        """
        if isinstance(content, str):
            json, key = self._of_text(content)
        else:
            json, key = self._of_cells(content)
        try:
            (values,) = self._fits.read([json])
        except SignatureMismatch as error:
            raise SignatureMismatch(
                _ONLY_ROW.sub(lambda found: f"{found[1]}: " if found[1] else "", error.message)
            ) from error
        return ParsedRow(json, values, key)

    def find_key(self, content: list[str] | str | None) -> str | None:
        """The key of a row that may be bad, as far as it can be told."""
        try:
            if isinstance(content, str):
                return self._of_text(content)[1]
            if isinstance(content, list) and self._key_index is not None:
                return content[self._key_index]
        except BadInput:
            pass  # then the line alone names the row
        return None

    def _of_cells(self, cells: list[str]) -> tuple[dict[str, Any], str | None]:
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for name, index, read_cell in self._columns:
            try:
                values[name] = read_cell(cells[index])
            except ValueError as error:
                wrong.append(f"input '{name}': {error}")
        if wrong:
            more = len(wrong) - _CELLS_SHOWN
            raise SignatureMismatch("; ".join(wrong[:_CELLS_SHOWN]) + (f"; and {more} more" if more > 0 else ""))
        return values, None if self._key_index is None else _checked_key(cells[self._key_index], self._options.key)

    def _of_text(self, text: str) -> tuple[_Row, str | None]:
        try:
            row = msgspec.json.decode(text, type=_Row)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise MalformedBody(f"not a row as JSON: {error}") from error
        name = self._options.key
        if name is None:
            key = None
        else:
            key = _checked_key(row.get(name) if isinstance(row, dict) else None, name)
        if isinstance(row, dict) and (self._options.ignore_extra or (name is not None and name not in self._names)):
            row = {
                member: value
                for member, value in row.items()
                if member in self._names or not (self._options.ignore_extra or member == name)
            }
        return row, key


def _checked_key(value: Any, name: str | None) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MalformedBody(f"there is no key: '{name}' must be text or a whole number")
    key = str(value)
    if len(key) > KEY_CHARACTERS_MAX or "\0" in key:
        raise MalformedBody(f"'{name}' is no key: it has 1 to {KEY_CHARACTERS_MAX} characters and no zero byte")
    return key


def check_columns(signature: Signature, options: Options, header: tuple[str, ...]) -> None:
    """Returns when these columns are those that the version needs.

    Raises:
        BadInput: One is lacking, or one too many.
    """
    lacking = lacking_columns(signature.inputs, header)
    if lacking:
        raise SignatureMismatch(
            f"the file has no column {listed(lacking)}, which the model needs; "
            f"its columns are {listed(header)}{delimiter_advice(header)}"
        )
    if options.key is not None and options.key not in header:
        raise BadInput(f"the file has no column '{options.key}' for the key; its columns are {listed(header)}")
    if signature.extra_columns == "refuse" and not options.ignore_extra:
        extra = extra_columns(signature.inputs, header, [] if options.key is None else [options.key])
        if extra:
            raise SignatureMismatch(
                f"the file has columns that are no inputs of the model: {listed(extra)}; "
                "ignore_extra=true leaves them out"
            )


def check_options(options: Options) -> Options:
    """The options.

    Raises:
        BadInput: One of them has no meaning for the format, or cannot be.
    """
    if len(options.delimiter) != 1 or options.delimiter in '"\r\n\0':
        raise BadInput(f'delimiter="{options.delimiter[:20]}" is not one character that can stand between cells')
    if options.format is not BatchFormat.CSV and (options.delimiter != "," or options.missing):
        raise BadInput("delimiter and missing are for CSV alone")
    if options.key is not None and (options.key == "" or "\0" in options.key):
        raise BadInput("key names no column")
    return options
