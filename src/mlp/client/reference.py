"""The reference rows of a version, which drift is measured against: written as CSV, or taken from a file as it is."""

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlp.client.rows import is_frame, rows_of_frame
from mlp.errors import BadInput
from mlp.signature.fields import Field
from mlp.signature.infer import fields_from_frame, fields_from_rows, rows_from_csv


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows from the training of a version.

    Attributes:
        fields: What they show of the inputs.
        file_name: What the file is called within the folder.
        source: The file to be taken as it is, or the DataFrame.
    """

    fields: tuple[Field, ...]
    file_name: str
    source: Any

    def content(self, names: Sequence[str]) -> bytes | Path:
        """The file: CSV (RFC 4180) with the inputs in this order, an empty cell for a missing value."""
        if isinstance(self.source, Path):
            return self.source
        written = io.StringIO(newline="")
        writer = csv.writer(written)
        writer.writerow(names)
        rows = rows_of_frame(self.source[list(names)])
        writer.writerows([[_cell(value) for value in row.values()] for row in rows])
        return written.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def reference_of(given: Any) -> Reference:
    """The reference rows in a DataFrame, or in a .csv or .csv.gz file.

    Raises:
        BadInput: It is neither, or cannot be read.
        BadModelFolder: A column has no type that an input can have; names it.
    """
    if is_frame(given):
        return Reference(fields_from_frame(given), "reference.csv", given)
    if not isinstance(given, str | Path):
        raise BadInput(f"reference is a DataFrame or the path of a .csv or .csv.gz file; got {type(given).__name__}")
    path = Path(given)
    is_zipped = path.name.lower().endswith(".csv.gz")
    if not is_zipped and path.suffix.lower() != ".csv":
        raise BadInput(f"{path}: reference rows are read from a .csv or .csv.gz file")
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if is_zipped else content).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    return Reference(fields_from_rows(rows_from_csv(text)), "reference.csv.gz" if is_zipped else "reference.csv", path)
