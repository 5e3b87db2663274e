"""Turns what a model returned (array, frame, dict, list) into outputs by name, checked against the signature.

One place for every runtime, so that all answers are checked alike: row count, shapes, and finite numbers where the
task promises a number.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlp.errors import AcceptanceFailed, ModelFailed
from mlp.signature import DType, Field, Outputs, Signature, Task
from mlp.signature.batch import Array
from mlp.signature.fields import FLOATS, INTEGERS, NUMPY_DTYPES, TEXTS, Scalar

LABEL, PROBABILITIES, VALUE = "label", "probabilities", "value"
#: The name of an output that the model itself does not name.
UNNAMED = "output"


class AnswerReader:
    """Reads the answers of one signature; keep one per version."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._classes = None if signature.classes is None else class_array(signature.classes)
        self._read = {
            Task.CLASSIFICATION: self._classification,
            Task.REGRESSION: self._regression,
            Task.TENSORS: self._tensors,
        }[signature.task]

    def read(self, answer: Any, rows: int) -> Outputs:
        """The outputs of ``rows`` rows: ``label`` and ``probabilities``, or ``value``, or tensors by name.

        Raises:
            ModelFailed: A wrong number of rows or classes, an unknown output, or a number that is not finite.
        """
        outputs = self._read(answer)
        for name, array in outputs.items():
            if array.ndim == 0 or len(array) != rows:
                got = f"{len(array)} rows" if array.ndim else "a single value"
                raise ModelFailed(f"the model was given {rows} rows and returned {got} for '{name}'")
        return outputs

    def _classification(self, answer: Any) -> Outputs:
        parts = self._classification_parts(answer)
        label, probabilities = parts.get(LABEL), parts.get(PROBABILITIES)
        outputs: Outputs = {}
        if probabilities is not None:
            outputs[PROBABILITIES] = probabilities = self._checked_probabilities(probabilities)
            if label is None and self._classes is not None:
                label = self._classes[probabilities.argmax(axis=1)]
        if label is None:
            raise ModelFailed(f"the model returned neither '{LABEL}' nor '{PROBABILITIES}'")
        return {LABEL: _column(LABEL, label), **outputs}

    def _classification_parts(self, answer: Any) -> Mapping[str, Any]:
        if is_frame(answer):
            answer = self._parts_of_frame(answer)
        if isinstance(answer, Mapping):
            unknown = set(answer) - {LABEL, PROBABILITIES}
            if unknown:
                raise ModelFailed(
                    f"the model returned {sorted(map(str, unknown))[0]!r}; a classification returns "
                    f"'{LABEL}' and '{PROBABILITIES}'"
                )
            return answer
        array = as_array(answer)
        return {PROBABILITIES: array} if array.ndim == 2 and array.shape[1] > 1 else {LABEL: array}

    def _parts_of_frame(self, frame: Any) -> Mapping[str, Any]:
        """Columns named as the classes are probabilities, whatever their order; a column ``label`` is the label."""
        classes = self._signature.classes or ()
        names = {str(name): name for name in frame.columns}
        parts: dict[str, Any] = {LABEL: frame[names.pop(LABEL)]} if LABEL in names else {}
        if classes and set(names) == {str(label) for label in classes}:
            parts[PROBABILITIES] = frame[[names[str(label)] for label in classes]]
        else:
            parts.update(names)
        return parts

    def _checked_probabilities(self, answer: Any) -> Array:
        probabilities = np.asarray(answer)
        if probabilities.dtype != np.float64:
            probabilities = _as_floats(PROBABILITIES, probabilities)
        if self._classes is None:
            raise ModelFailed(
                "the model returned probabilities; name their classes in mlp.toml, in order: classes = […]"
            )
        if probabilities.ndim != 2 or probabilities.shape[1] != len(self._classes):
            raise ModelFailed(
                f"the model returned probabilities of the shape {list(probabilities.shape)}; its {len(self._classes)} "
                "classes need one column each"
            )
        _check_finite(PROBABILITIES, probabilities)
        return probabilities

    def _regression(self, answer: Any) -> Outputs:
        if is_frame(answer):
            answer = {str(name): answer[name] for name in answer.columns}
        if isinstance(answer, Mapping):
            if set(answer) != {VALUE}:
                names = ", ".join(map(str, answer))
                raise ModelFailed(f"the model returned {names}; a regression returns '{VALUE}'")
            answer = answer[VALUE]
        value = _column(VALUE, answer)
        if value.dtype != np.float64:
            value = _as_floats(VALUE, value)
        _check_finite(VALUE, value)
        return {VALUE: value}

    def _tensors(self, answer: Any) -> Outputs:
        declared = self._signature.outputs
        named = named_arrays(answer, declared[0].name if len(declared) == 1 else UNNAMED)
        if not declared:
            return named
        if set(named) != {item.name for item in declared}:
            wanted = ", ".join(item.name for item in declared)
            raise ModelFailed(f"the model returned the outputs {', '.join(named)}; its signature has {wanted}")
        return {item.name: _tensor(item, named[item.name]) for item in declared}


def is_frame(answer: Any) -> bool:
    """Whether the answer is a data frame of pandas, told by its form, since pandas may not be there."""
    return hasattr(answer, "columns") and hasattr(answer, "iloc")


def as_array(answer: Any) -> Array:
    """The answer as an array: of an array, a series, a frame or a list.

    Raises:
        ModelFailed: It is none of them, such as None.
    """
    if answer is None:
        raise ModelFailed("the model returned None: does predict lack its return statement?")
    try:
        array = np.asarray(answer)
    except ValueError as error:
        raise ModelFailed(f"the model returned lists of uneven length: {error}") from error
    if array.ndim == 0:
        raise ModelFailed(f"the model returned a {type(answer).__name__}; expected one answer for each row")
    return array


def named_arrays(answer: Any, unnamed: str) -> Outputs:
    """The answer's arrays by their names; an array alone gets the name ``unnamed``."""
    if is_frame(answer):
        return {str(name): np.asarray(answer[name]) for name in answer.columns}
    if isinstance(answer, Mapping):
        return {str(name): as_array(array) for name, array in answer.items()}
    return {unnamed: as_array(answer)}


def class_array(classes: tuple[Scalar, ...]) -> Array:
    """The classes as an array of their own type, so that labels taken from it are plain values again."""
    kinds = {type(label) for label in classes}
    if kinds <= {bool} or kinds <= {int} or kinds <= {float}:
        return np.array(classes)
    array = np.empty(len(classes), dtype=object)
    array[:] = classes
    return array


def _column(name: str, answer: Any) -> Array:
    array = as_array(answer)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ModelFailed(f"the model returned '{name}' of the shape {list(array.shape)}; expected one value a row")
    if array.dtype.kind == "f" and name == LABEL:
        _check_finite(name, array)
    return array


def _as_floats(name: str, array: Array) -> Array:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ModelFailed(f"the model returned '{name}' that is no number: {error}") from error


def _check_finite(name: str, array: Array) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise ModelFailed(f"the model returned {array[row].tolist()} as '{name}' of row {row}; it must be finite")


def _tensor(item: Field, array: Array) -> Array:
    dtype = NUMPY_DTYPES[item.dtype]
    if array.dtype == dtype or (item.dtype in TEXTS and array.dtype.kind in "OUT"):
        return array
    if not np.can_cast(array.dtype, dtype, casting="same_kind"):
        raise ModelFailed(f"the model returned '{item.name}' as {array.dtype}; its signature says {item.dtype.value}")
    return array.astype(dtype)


def completed(signature: Signature, outputs: Outputs, *, task: Task | None) -> Signature:
    """The signature with task, classes and outputs filled in from answers to the example.

    Args:
        signature: As far as it is known; its task counts only where ``task`` is None.
        outputs: What the model returned, by name, not yet checked.
        task: What mlp.toml or the model says.

    Raises:
        AcceptanceFailed: The answers do not tell whether this is a classification or a regression.
    """
    if task is None:
        task = _task_of(signature, outputs)
    if task is Task.TENSORS:
        fields = signature.outputs or tuple(_output_field(name, array) for name, array in outputs.items())
        return replace(signature, task=task, outputs=fields)
    if task is Task.REGRESSION:
        return replace(signature, task=task, outputs=(Field(VALUE, DType.FLOAT64),), classes=None)
    return with_classes(signature, signature.classes, has_probabilities=_has_probabilities(outputs))


def with_classes(signature: Signature, classes: tuple[Scalar, ...] | None, *, has_probabilities: bool) -> Signature:
    """The signature as that of a classification with these classes."""
    outputs = [Field(LABEL, _label_dtype(classes))]
    if has_probabilities and classes is not None:
        outputs.append(Field(PROBABILITIES, DType.FLOAT64, shape=(len(classes),)))
    return replace(signature, task=Task.CLASSIFICATION, classes=classes, outputs=tuple(outputs))


def _label_dtype(classes: tuple[Scalar, ...] | None) -> DType:
    kinds = {type(label) for label in classes or ()}
    by_kind = {bool: DType.BOOL, int: DType.INT64, float: DType.FLOAT64}
    return by_kind.get(next(iter(kinds)), DType.STRING) if len(kinds) == 1 else DType.STRING


def _has_probabilities(outputs: Outputs) -> bool:
    unnamed = outputs.get(UNNAMED)
    return PROBABILITIES in outputs or (unnamed is not None and unnamed.ndim == 2 and unnamed.shape[1] > 1)


def _task_of(signature: Signature, outputs: Outputs) -> Task:
    if signature.classes is not None or LABEL in outputs or PROBABILITIES in outputs:
        return Task.CLASSIFICATION
    if set(outputs) == {VALUE}:
        return Task.REGRESSION
    unnamed = outputs.get(UNNAMED)
    if unnamed is None or unnamed.ndim > 2 or (unnamed.ndim == 2 and unnamed.shape[1] > 1):
        return Task.TENSORS
    if unnamed.dtype.kind in "f":
        return Task.REGRESSION
    if unnamed.dtype.kind in "bOUT":
        return Task.CLASSIFICATION
    raise AcceptanceFailed(
        "the model returned whole numbers, which may be labels or values: say which in mlp.toml, "
        'task = "classification" or task = "regression"'
    )


def _output_field(name: str, array: Array) -> Field:
    shape = tuple(int(size) for size in array.shape[1:])
    if array.dtype.kind in "OUT":
        return Field(name, DType.STRING, shape=shape)
    try:
        dtype = DType(array.dtype.name)
    except ValueError:
        raise AcceptanceFailed(f"the model returned '{name}' as {array.dtype}, which no output can be") from None
    if dtype not in INTEGERS | FLOATS | {DType.BOOL}:
        raise AcceptanceFailed(f"the model returned '{name}' as {array.dtype}, which no output can be")
    return Field(name, dtype, shape=shape)
