"""Turns the text cells of a CSV into the types of a model's signature; nothing is guessed, nothing dropped.

A cell that does not fit is named with its line. Bounds and categories are left to the server.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from mlp.cells import cell_reader, extra_columns, lacking_columns, listed
from mlp.cli.row_files import Row, RowFile, delimiter_hint
from mlp.client.results import Signature
from mlp.errors import SignatureMismatch

#: Of the cells that do not fit so many are shown: enough to see what they have in common.
WRONG_CELLS_SHOWN = 10


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
        missing: Sequence[str] = (),
    ) -> None:
        names = () if file.names is None else file.names
        _check_lacking(signature, file.title, names)
        if signature.extra_columns == "refuse" and not is_extra_ignored:
            _check_extra(signature, file.title, names, set_apart)
        self._readers = [
            (field.name, cell_reader(field, missing=missing, option="--missing "))
            for field in signature.inputs
            if field.name in names
        ]

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
        for name, read_cell in self._readers:
            try:
                values[name] = read_cell(cells[name])
            except ValueError as error:
                wrong.append(f"input '{name}', line {row.number}: {error}")
        return values


def _check_lacking(signature: Signature, title: str, names: Sequence[str]) -> None:
    lacking = lacking_columns(signature.inputs, names)
    if lacking:
        raise SignatureMismatch(
            f"{title} has no column {listed(lacking)}, which the model needs; "
            f"its columns are {listed(names)}{delimiter_hint(names)}"
        )


def _check_extra(signature: Signature, title: str, names: Sequence[str], set_apart: Iterable[str]) -> None:
    extra = extra_columns(signature.inputs, names, set_apart)
    if extra:
        raise SignatureMismatch(
            f"{title} has columns that are no inputs of the model: {listed(extra)}; --ignore-extra leaves them out"
        )
