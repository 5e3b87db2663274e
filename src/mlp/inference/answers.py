"""Writes the answers of /v1 from a model's arrays, and names what of them is a score and what a label."""

import math
from collections.abc import Sequence
from typing import Any

from mlp.signature import Outputs, Signature, Task
from mlp.signature.batch import Array
from mlp.signature.fields import Scalar


def class_text(label: Scalar) -> str:
    """A class as a key of ``probabilities`` in JSON: true and false as JSON writes them, all else as text."""
    return str(label).lower() if isinstance(label, bool) else str(label)


class AnswerWriter:
    """Makes the ``predictions`` of /v1 for one signature; keep one per version."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._class_texts = [class_text(label) for label in signature.classes or ()]

    def predictions(self, outputs: Outputs, keys: Sequence[str | None] | None) -> list[dict[str, Any]]:
        """One object per row: label and probabilities, or value, or the outputs by name; with the row's key."""
        if self._signature.task is Task.CLASSIFICATION:
            answers = self._classified(outputs)
        elif self._signature.task is Task.REGRESSION:
            answers = [{"value": value} for value in json_values(outputs["value"])]
        else:
            answers = self._named(outputs)
        if keys is None:
            return answers
        return [answer if key is None else {"key": key, **answer} for key, answer in zip(keys, answers, strict=True)]

    def _classified(self, outputs: Outputs) -> list[dict[str, Any]]:
        labels = json_values(outputs["label"])
        probabilities = outputs.get("probabilities")
        if probabilities is None:
            return [{"label": label} for label in labels]
        texts = self._class_texts
        return [
            {"label": label, "probabilities": dict(zip(texts, row, strict=True))}
            for label, row in zip(labels, json_values(probabilities), strict=True)
        ]

    def _named(self, outputs: Outputs) -> list[dict[str, Any]]:
        by_name = {name: json_values(array) for name, array in outputs.items()}
        rows = len(next(iter(by_name.values()), ()))
        return [{"outputs": {name: values[row] for name, values in by_name.items()}} for row in range(rows)]


def json_values(array: Array) -> list[Any]:
    """The array as nested lists that JSON can hold; NaN and infinities become null."""
    values: list[Any] = array.tolist()
    if array.dtype.kind == "f" and not _all_finite(values):
        return [_finite_or_null(value) for value in values]
    if array.dtype.kind == "M":
        return [None if value is None else value.isoformat() + "Z" for value in values]
    return values


def _all_finite(values: list[Any]) -> bool:
    return all(_all_finite(value) if isinstance(value, list) else math.isfinite(value) for value in values)


def _finite_or_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite_or_null(item) for item in value]
    return value if math.isfinite(value) else None


def scores(signature: Signature, outputs: dict[str, list[Any]]) -> list[float | None]:
    """The number per row that quality is measured by: the positive class's probability, or the value; else None."""
    column = signature.score_column
    if column is not None and "probabilities" in outputs:
        return [row[column] for row in outputs["probabilities"]]
    if signature.task is Task.REGRESSION:
        return list(outputs["value"])
    return [None] * _row_count(outputs)


def labels(signature: Signature, outputs: dict[str, list[Any]]) -> list[Any]:
    """The predicted label per row of a classification, the value of a regression; None for tensors."""
    if signature.task is Task.CLASSIFICATION:
        return list(outputs["label"])
    if signature.task is Task.REGRESSION:
        return list(outputs["value"])
    return [None] * _row_count(outputs)


def _row_count(outputs: dict[str, list[Any]]) -> int:
    return len(next(iter(outputs.values()), ()))
