"""LightGBM: a booster saved as text in model.txt; optionally ``preprocess`` in model.py.

The booster receives a matrix in which categories are already codes: the same numbers that it makes of a frame
itself, fifty times as fast for one row. Categories are those of the training frame, which the text file keeps.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import MissingExtra, VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.base import Described, LoadedModel
from mlp.runtimes.guard import GuardedModel
from mlp.runtimes.inputs import in_model_order, is_number, own_code_input
from mlp.runtimes.source import explained, find_preprocess, importing_from
from mlp.signature import Batch, DType, Field, Signature, Task
from mlp.signature.batch import Array
from mlp.signature.fields import TEXTS

MODEL_FILE = "model.txt"


class LightGBMRuntime:
    """Loads model.txt."""

    name = "lightgbm"

    def describe(self, folder: Path) -> Described:
        booster = _load(folder)
        return Described(signature=_described_signature(folder, booster), trained_with={})

    def load(self, folder: Path, signature: Signature, threads: int) -> LoadedModel:
        booster = _load(folder)
        with importing_from(folder):
            code, preprocess = find_preprocess(folder)
        if preprocess is None:
            assemble = _assembler(booster, signature)
        else:
            build = own_code_input(signature)

            def assemble(batch: Batch) -> Any:
                return preprocess(build(batch))

        is_binary = _objective(folder)[0] == "binary" and signature.task is not Task.REGRESSION

        def answer(batch: Batch) -> Any:
            raw = booster.predict(assemble(batch), num_threads=threads)
            return {"probabilities": np.column_stack((1.0 - raw, raw))} if is_binary else raw

        return GuardedModel(signature, folder, threads, answer, None if code is None else code.close)


def _load(folder: Path) -> Any:
    path = folder / MODEL_FILE
    if not path.is_file():
        raise VersionRefused(f"the folder has no {MODEL_FILE}, which the runtime lightgbm loads")
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra('a LightGBM model needs lightgbm: pip install "mlp-stack[lightgbm]"') from error
    try:
        return lightgbm.Booster(model_file=str(path))
    except Exception as error:
        raise VersionRefused(f"{MODEL_FILE} does not load: {explained(error, folder)}") from error


def _objective(folder: Path) -> tuple[str, int]:
    """Name of the objective, such as ``binary``, and the number of classes, from the head of the text file."""
    name, classes_count = "", 1
    with (folder / MODEL_FILE).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.strip().partition("=")
            if key == "objective":
                name = value.partition(" ")[0]
            elif key == "num_class":
                classes_count = int(value)
            elif key == "Tree":
                break
    return name, classes_count


def _described_signature(folder: Path, booster: Any) -> Signature:
    names = booster.feature_name()
    categories = _categories(booster, ())
    inputs = tuple(_field(name, categories.get(position)) for position, name in enumerate(names))
    objective, classes_count = _objective(folder)
    if objective == "binary":
        return with_classes(Signature(Task.TENSORS, inputs), (0, 1), has_probabilities=True)
    if objective in ("multiclass", "multiclassova"):
        return with_classes(Signature(Task.TENSORS, inputs), tuple(range(classes_count)), has_probabilities=True)
    return Signature(Task.REGRESSION, inputs)


def category_fields(booster: Any) -> dict[str, Field]:
    """The inputs whose categories the booster knows, by name."""
    names = booster.feature_name()
    fields = [_field(names[position], values) for position, values in _categories(booster, ()).items()]
    return {item.name: item for item in fields if item.dtype is DType.CATEGORY}


def _field(name: str, categories: Sequence[Any] | None) -> Field:
    """Numbers may be missing, LightGBM has a branch for that; unknown categories take the same branch."""
    if categories is None:
        return Field(name, DType.FLOAT64, nullable=True)
    if all(isinstance(category, str) for category in categories):
        return Field(name, DType.CATEGORY, categories=tuple(categories), unknown="count")
    kinds = {type(category) for category in categories}
    dtype = DType.BOOL if kinds == {bool} else DType.INT64 if kinds == {int} else DType.FLOAT64
    return Field(name, dtype, nullable=True)


def _categories(booster: Any, inputs: Sequence[Field]) -> dict[int, Sequence[Any]]:
    """Categories of the training frame by position of the feature.

    The file lists the categories of each category column, and which features are categories; ordered categories
    are in the first list alone. Where the two differ, the inputs declared as categories tell; without inputs
    nothing is known then.

    Raises:
        VersionRefused: The inputs do not tell either.
    """
    lists: Sequence[Sequence[Any]] = booster.pandas_categorical or ()
    # Read from a file under the one name, kept from the training under the other.
    known = booster.params.get("categorical_feature") or booster.params.get("categorical_column")
    positions: Sequence[int] = known if isinstance(known, list) else ()
    if lists and len(positions) != len(lists):
        if not inputs:
            return {}
        positions = [position for position, item in enumerate(inputs) if item.dtype is DType.CATEGORY]
        if len(positions) != len(lists):
            raise VersionRefused(
                f"the model was trained with {len(lists)} category columns and does not say which: declare them in "
                'mlp.toml, [inputs], as { type = "category", categories = […] }'
            )
    return dict(zip(positions, lists, strict=True)) if lists else {}


def _assembler(booster: Any, signature: Signature) -> Callable[[Batch], Array]:
    inputs = in_model_order(booster.feature_name(), signature.inputs)
    categories = _categories(booster, inputs)
    for position, item in enumerate(inputs):
        if item.shape or not (is_number(item) or position in categories):
            wanted = (
                "a number" if item.dtype not in TEXTS else "a number, or a category that the model was trained with"
            )
            raise VersionRefused(f"input '{item.name}' is {item.dtype.value}; for this model it must be {wanted}")
    fillers = [_filler(item, categories.get(position)) for position, item in enumerate(inputs)]

    def assemble(batch: Batch) -> Array:
        matrix = np.empty((batch.rows, len(fillers)), dtype=np.float64)
        for position, fill in enumerate(fillers):
            fill(batch, matrix[:, position])
        return matrix

    return assemble


def _filler(item: Field, categories: Sequence[Any] | None) -> Callable[[Batch, Array], None]:
    """The function that writes one column: the numbers, or the position of each category; NaN where there is none."""
    name = item.name
    if categories is None:

        def fill_numbers(batch: Batch, column: Array) -> None:
            column[:] = batch.columns[name]
            if name in batch.nulls:
                column[batch.nulls[name]] = np.nan

        return fill_numbers
    code_of = {category: float(code) for code, category in enumerate(categories)}

    def fill_codes(batch: Batch, column: Array) -> None:
        column[:] = [code_of.get(value, np.nan) for value in batch.columns[name].tolist()]
        if name in batch.nulls:
            column[batch.nulls[name]] = np.nan

    return fill_codes
