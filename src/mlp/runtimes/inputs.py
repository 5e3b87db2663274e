"""Puts the inputs of a signature into the order in which a model file names its features."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlp.errors import VersionRefused
from mlp.runtimes.frames import Block, FrameBuilder, arrays_of, block_dtype
from mlp.signature import Batch, DType, Field, Signature
from mlp.signature.batch import Array
from mlp.signature.fields import FLOATS, INTEGERS


def plain_name(name: str) -> str:
    """The name as LightGBM keeps it: blanks become underscores."""
    return name.replace(" ", "_")


def in_model_order(feature_names: Sequence[str], inputs: Sequence[Field]) -> tuple[Field, ...]:
    """The inputs in the order of the model's features.

    Raises:
        VersionRefused: A feature is no input, or an input no feature; names them.
    """
    by_name = {plain_name(item.name): item for item in inputs}
    missing = [name for name in feature_names if plain_name(name) not in by_name]
    if missing:
        raise VersionRefused(
            f"the model was trained with {_listed(missing)}, which the signature lacks; "
            f"its inputs are {_listed([item.name for item in inputs])}"
        )
    known = {plain_name(name) for name in feature_names}
    extra = [item.name for item in inputs if plain_name(item.name) not in known]
    if extra:
        raise VersionRefused(f"the model was not trained with {_listed(extra)}: take it out of the inputs")
    return tuple(by_name[plain_name(name)] for name in feature_names)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def check_count(features_count: int, inputs: Sequence[Field]) -> None:
    """Refuse a signature with another number of inputs than the model has features.

    Raises:
        VersionRefused: The numbers differ.
    """
    if features_count != len(inputs):
        names = _listed([item.name for item in inputs])
        raise VersionRefused(
            f"the model takes {features_count} inputs, its signature has {len(inputs)} ({names}): leave out what is "
            "no input, such as the label"
        )


def float_matrix(inputs: Sequence[Field]) -> Callable[[Batch], Array]:
    """A function that makes float64 [rows, inputs] of plain number columns, NaN for null; its memory is new."""
    names = [item.name for item in inputs]

    def build(batch: Batch) -> Array:
        matrix = np.empty((batch.rows, len(names)), dtype=np.float64)
        for position, name in enumerate(names):
            matrix[:, position] = batch.columns[name]
            if name in batch.nulls:
                matrix[batch.nulls[name], position] = np.nan
        return matrix

    return build


def matrix_of_frame(inputs: Sequence[Field]) -> Callable[[Batch], Array]:
    """A function that makes [rows, inputs] of plain number columns just as numpy makes it of a frame of them.

    The type is the one that all columns fit, and columns lie together in memory; so products of matrices take the
    same path as with the frame, and give the same last bit.
    """
    block = Block(np.result_type(*map(block_dtype, inputs)), list(enumerate(inputs)))
    return lambda batch: block.values(batch).T


def is_number(item: Field) -> bool:
    """Whether the input is a number or a bool, which a float matrix can hold."""
    return item.dtype in INTEGERS or item.dtype in FLOATS or item.dtype is DType.BOOL


def own_code_input(signature: Signature) -> Callable[[Batch], Any]:
    """A function that makes what own code receives: a frame, or a dict of arrays where an input has a shape."""
    if any(item.shape for item in signature.inputs):
        return arrays_of
    return FrameBuilder(signature.inputs, is_masked=True, needed_by="own code").build
