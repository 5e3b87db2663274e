"""Makes the frozen reference of a version from the training rows in its folder, once, when it is registered."""

import csv
import gzip
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlp.clock import from_rfc3339, micros
from mlp.errors import BadInput, BadModelFolder
from mlp.monitoring.columns import datetime_names, watched_fields
from mlp.monitoring.histograms import Column, build_reference
from mlp.registry.folder import ModelFolder
from mlp.signature import DType, Field, Signature
from mlp.signature.fields import TEXTS

#: Rows read of a reference; the order is kept, and more would not move a quantile.
ROWS_MAX = 1_000_000


def read_reference(folder: ModelFolder, signature: Signature) -> dict[str, Any] | None:
    """The reference as it is stored with the version; None where the folder has no training rows.

    Raises:
        BadModelFolder: The file does not fit the signature; the message names line and column.
    """
    if folder.reference is None:
        return None
    table = _read_csv(folder)
    columns: dict[str, Column] = {}
    for item in watched_fields(signature):
        if item.name not in table:
            raise BadModelFolder(f"{folder.reference.name} lacks the input '{item.name}': it has {', '.join(table)}")
        columns[item.name] = _column(item, table[item.name], folder.reference.name)
    if not columns or not len(next(iter(columns.values()))):
        return None
    return build_reference(columns, datetimes=datetime_names(signature)).to_json()


def _read_csv(folder: ModelFolder) -> dict[str, list[str]]:
    """The file's columns by name, all as text; an empty cell is a missing value."""
    assert folder.reference is not None
    raw = folder.reference.read_bytes()
    if folder.reference.suffix == ".gz":
        raw = gzip.decompress(raw)
    try:
        lines = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        rows = [row for _number, row in zip(range(ROWS_MAX), lines, strict=False)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadModelFolder(f"{folder.reference.name} is no CSV file in UTF-8: {error}") from error
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise BadModelFolder(
                f"{folder.reference.name}, line {number}: {len(row)} cells under a header of {len(header)}"
            )
    return {name: [row[index] for row in rows] for index, name in enumerate(header)}


def _column(item: Field, cells: Sequence[str], file_name: str) -> Column:
    if item.dtype in TEXTS:
        return [cell if cell else None for cell in cells]
    if item.dtype is DType.BOOL:
        return [cell.lower() if cell else None for cell in cells]
    numbers = np.empty(len(cells), dtype=np.float64)
    for index, cell in enumerate(cells):
        try:
            numbers[index] = np.nan if not cell else _number(item, cell)
        except (ValueError, BadInput):
            raise BadModelFolder(
                f"{file_name}, line {index + 2}: '{item.name}' should be {item.dtype.value}, got \"{cell}\""
            ) from None
    return numbers


def _number(item: Field, cell: str) -> float:
    return micros(from_rfc3339(cell)) / 1e6 if item.dtype is DType.DATETIME else float(cell)
