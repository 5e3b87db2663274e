"""The columns of a batch as histograms want them: numbers as float64 with NaN, everything else as text with None."""

from typing import Any

import numpy as np

from mlp.monitoring.histograms import Column
from mlp.signature import Batch, DType, Field, Signature
from mlp.signature.fields import FLOATS, INTEGERS


def watched_fields(signature: Signature) -> list[Field]:
    """The inputs whose distribution is watched: plain columns; the cells of tensors are not features."""
    return [item for item in signature.inputs if item.shape == ()]


def histogram_columns(signature: Signature, batch: Batch) -> dict[str, Column]:
    """Each watched input of the batch by its name."""
    return {item.name: _column(item, batch) for item in watched_fields(signature)}


def datetime_names(signature: Signature) -> set[str]:
    """Names of the inputs that hold times."""
    return {item.name for item in signature.inputs if item.dtype is DType.DATETIME}


def _column(item: Field, batch: Batch) -> Column:
    values: Any = batch.columns[item.name]
    mask = batch.nulls.get(item.name)
    if item.dtype is DType.DATETIME:
        seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(values), np.nan, seconds)
    if item.dtype in FLOATS or item.dtype in INTEGERS:
        numbers = values.astype(np.float64)
        return numbers if mask is None else np.where(mask, np.nan, numbers)
    if item.dtype is DType.BOOL:
        texts: list[str | None] = ["true" if value else "false" for value in values.tolist()]
        if mask is None:
            return texts
        return [None if is_null else text for text, is_null in zip(texts, mask, strict=True)]
    return list(values)
