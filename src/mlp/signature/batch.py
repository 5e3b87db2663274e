"""What a runtime receives and returns: columns of one length, and how several are joined and cut again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlp.signature.fields import NUMPY_DTYPES, TEXTS, DType, Field, Signature

Array = NDArray[Any]
#: What a model returns: arrays by output name, each [rows, ...].
Outputs = dict[str, Array]
#: One row as the row reader leaves it: checked Python values in the order of the inputs, None for null.
RowValues = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Checked inputs of some rows, in exactly the types of the signature.

    Attributes:
        rows: Number of rows.
        columns: Arrays [rows, *shape] by input name. Text is dtype object (str or None), times datetime64[us]
            (NaT for null), nullable floats hold NaN. Runtimes must not write into them.
        nulls: Boolean arrays [rows] for nullable integer and bool columns that hold a null; the value
            beneath is 0.
        matrix: The same values as one array [rows, inputs], where all inputs are plain numbers of one type.
    """

    rows: int
    columns: Mapping[str, Array]
    nulls: Mapping[str, Array] = field(default_factory=dict)
    matrix: Array | None = None

    def slice(self, start: int, stop: int) -> "Batch":
        """Rows ``start`` to ``stop`` (exclusive) as views, without a copy."""
        return Batch(
            rows=stop - start,
            columns={name: column[start:stop] for name, column in self.columns.items()},
            nulls={name: mask[start:stop] for name, mask in self.nulls.items()},
            matrix=None if self.matrix is None else self.matrix[start:stop],
        )


def from_rows(signature: Signature, rows: Sequence[RowValues]) -> Batch:
    """A batch from checked rows; the values are copied once, into arrays of the signature's types."""
    matrix_dtype = signature.matrix_dtype
    if matrix_dtype is not None:
        return from_matrix(
            signature, np.array(rows, dtype=NUMPY_DTYPES[matrix_dtype]).reshape(len(rows), len(signature.inputs))
        )
    columns: dict[str, Array] = {}
    nulls: dict[str, Array] = {}
    values_by_field = zip(*rows, strict=True) if rows else ((),) * len(signature.inputs)
    for item, values in zip(signature.inputs, values_by_field, strict=True):
        columns[item.name], mask = to_column(item, values)
        if mask is not None:
            nulls[item.name] = mask
    return Batch(len(rows), columns, nulls)


def from_matrix(signature: Signature, matrix: Array) -> Batch:
    """A batch over one matrix [rows, inputs] of the signature's ``matrix_dtype``; columns are views of it."""
    columns = {name: matrix[:, index] for index, name in enumerate(signature.input_names)}
    return Batch(len(matrix), columns, matrix=matrix)


def to_column(item: Field, values: Sequence[Any]) -> tuple[Array, Array | None]:
    """One column from checked values, and the mask of its nulls where the type cannot hold them itself."""
    dtype = NUMPY_DTYPES[item.dtype]
    if item.shape:
        return np.array(values, dtype=dtype).reshape(len(values), *_known(item.shape, values)), None
    if item.dtype in TEXTS:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column, None
    if not item.nullable or dtype.kind == "f":
        return np.array(values, dtype=dtype), None
    if item.dtype is DType.DATETIME:
        return np.array([np.datetime64("NaT", "us") if value is None else value for value in values], dtype=dtype), None
    mask = np.array([value is None for value in values], dtype=bool)
    filled = np.array([0 if value is None else value for value in values], dtype=dtype)
    return filled, mask if mask.any() else None


def _known(shape: tuple[int, ...], values: Sequence[Any]) -> tuple[int, ...]:
    if -1 not in shape:
        return shape
    return np.shape(values[0]) if values else tuple(0 if size == -1 else size for size in shape)


def join(batches: Sequence[Batch]) -> Batch:
    """One batch of all rows in order; a single batch is returned as it is, without a copy."""
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    rows = sum(batch.rows for batch in batches)
    masked = {name for batch in batches for name in batch.nulls}
    nulls = {
        name: np.concatenate([batch.nulls.get(name, np.zeros(batch.rows, dtype=bool)) for batch in batches])
        for name in masked
    }
    if all(batch.matrix is not None for batch in batches):
        matrix = np.concatenate([batch.matrix for batch in batches if batch.matrix is not None])
        return Batch(rows, {name: matrix[:, index] for index, name in enumerate(first.columns)}, nulls, matrix)
    columns = {name: np.concatenate([batch.columns[name] for batch in batches]) for name in first.columns}
    return Batch(rows, columns, nulls)


def cut(outputs: Outputs, row_counts: Sequence[int]) -> list[Outputs]:
    """The outputs of each part of a joined batch, as views in the same order."""
    if len(row_counts) == 1:
        return [outputs]
    parts: list[Outputs] = []
    start = 0
    for count in row_counts:
        parts.append({name: array[start : start + count] for name, array in outputs.items()})
        start += count
    return parts
