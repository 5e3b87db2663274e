"""scikit-learn's gradient boosting with category columns, given the matrix that its own encoder would make.

Nine tenths of a call with one row go into a ColumnTransformer that the estimator keeps in front of its trees. What
that does is known (codes of the categories first, then the numbers), so the matrix is made here, and the transformer
taken out of our copy of the estimator. It is a private part (scikit-learn 1.5 to 1.9), so both ways are compared on
made-up rows first; unless they agree to the last bit, the estimator stays as it is and receives frames.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlp.runtimes.frames import FrameBuilder
from mlp.runtimes.inputs import is_number
from mlp.signature import Batch, DType, Field
from mlp.signature.batch import Array
from mlp.signature.fields import NUMPY_DTYPES

KINDS = frozenset({"HistGradientBoostingClassifier", "HistGradientBoostingRegressor"})


def category_encoder(estimator: Any) -> Any | None:
    """The fitted encoder of the estimator's category columns; None where it has none, or keeps it elsewhere."""
    transformer = getattr(estimator, "_preprocessor", None)
    return getattr(transformer, "named_transformers_", {}).get("encoder")


def known_texts(values: Array) -> tuple[str, ...] | None:
    """The categories of one column as fitted, without the place for missing values; None where they are no text."""
    texts = tuple(value for value in values.tolist() if value == value and value is not None)
    return texts if all(isinstance(value, str) for value in texts) else None


def take_encoder_out(estimator: Any, inputs: Sequence[Field]) -> Callable[[Batch], Array] | None:
    """A function that makes the matrix that the estimator takes from now on; None where it stays as it was.

    Args:
        estimator: Our own copy; changed only where a function is returned.
        inputs: In the order of its features.
    """
    kind, encoder = type(estimator), category_encoder(estimator)
    if encoder is None or kind.__name__ not in KINDS or not kind.__module__.startswith("sklearn."):
        return None
    is_category = [bool(flag) for flag in estimator.is_categorical_]
    categories = [known_texts(values) for values in encoder.categories_]
    fits = [
        item.dtype is DType.CATEGORY if flag else is_number(item)
        for item, flag in zip(inputs, is_category, strict=True)
    ]
    if not all(fits) or None in categories:
        return None
    coded = [item for item, flag in zip(inputs, is_category, strict=True) if flag]
    numbers = [item for item, flag in zip(inputs, is_category, strict=True) if not flag]
    build = _matrix(coded, [texts or () for texts in categories], numbers)
    return build if _agrees_without(estimator, inputs, build) else None


def _matrix(
    coded: Sequence[Field], categories: Sequence[Sequence[str]], numbers: Sequence[Field]
) -> Callable[[Batch], Array]:
    codes = [
        (item.name, {text: float(code) for code, text in enumerate(texts)})
        for item, texts in zip(coded, categories, strict=True)
    ]
    names = [item.name for item in numbers]
    nan = float("nan")

    def build(batch: Batch) -> Array:
        matrix = np.empty((batch.rows, len(codes) + len(names)), dtype=np.float64)
        for position, (name, code_of) in enumerate(codes):
            matrix[:, position] = [code_of.get(value, nan) for value in batch.columns[name]]
        for position, name in enumerate(names, start=len(codes)):
            matrix[:, position] = batch.columns[name]
            if name in batch.nulls:
                matrix[batch.nulls[name], position] = np.nan
        return matrix

    return build


def _agrees_without(estimator: Any, inputs: Sequence[Field], build: Callable[[Batch], Array]) -> bool:
    """Whether the estimator answers the same without its encoder; then the encoder has been taken out."""
    batch = _made_up(inputs)
    frame = FrameBuilder(inputs, is_masked=False, needed_by="a model fitted with a data frame").build(batch)
    ask = estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict
    encoded, answer = estimator._preprocessor.transform(frame), ask(frame)
    kept = {
        name: vars(estimator).pop(name) for name in ("_preprocessor", "feature_names_in_") if name in vars(estimator)
    }
    estimator._preprocessor = None
    matrix = build(batch)
    if np.array_equal(encoded, matrix, equal_nan=True) and np.array_equal(ask(matrix), answer):
        return True
    vars(estimator).update(kept)
    return False


def _made_up(inputs: Sequence[Field]) -> Batch:
    """Rows with each category, an unknown and a missing one, and different numbers in each column."""
    rows = 2 + max(len(item.categories or ()) for item in inputs)
    columns: dict[str, Array] = {}
    for position, item in enumerate(inputs):
        if item.dtype is DType.CATEGORY:
            column = np.full(rows, None, dtype=object)
            values = (*(item.categories or ()), "a category that nobody has")
            column[: len(values)] = values
        else:
            column = (np.arange(rows) % 7 + position).astype(NUMPY_DTYPES[item.dtype])
            if column.dtype.kind == "f":
                column[-1] = np.nan
        columns[item.name] = column
    return Batch(rows, columns)
