"""Compares answers: with those that the author expects, and of a row alone with the same row among others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp.errors import AcceptanceFailed, BadModelFolder
from mlp.signature import Outputs, Signature, Task
from mlp.signature.batch import Array

#: Relative difference that another machine's arithmetic explains; more means other code or other versions.
_EXPECTED_RTOL = 1e-6
_EXPECTED_ATOL = 1e-12
#: Units in the last place by which sums of a different order differ (products of matrices of other sizes).
_ULPS_MAX = 4
#: Units in the last place beyond which the other rows matter, and not only the order of a sum.
_ROUNDING_ULPS_MAX = 4096


def check_labels(signature: Signature, outputs: Outputs) -> None:
    """Refuse labels that are none of the classes, and probabilities that are none.

    Raises:
        AcceptanceFailed: Names the row and the value.
    """
    if signature.task is not Task.CLASSIFICATION:
        return
    known = None if signature.classes is None else frozenset(signature.classes)
    for row, label in enumerate(outputs["label"].tolist()):
        if known is not None and label not in known:
            raise AcceptanceFailed(
                f"row {row} of the example: the model answers {label!r}, which is none of its classes "
                f"{list(signature.classes or ())}"
            )
    probabilities = outputs.get("probabilities")
    if probabilities is None:
        return
    is_wrong = (probabilities < 0).any(axis=1) | (np.abs(probabilities.sum(axis=1) - 1) > 1e-3)
    if is_wrong.any():
        row = int(is_wrong.argmax())
        raise AcceptanceFailed(
            f"row {row} of the example: {probabilities[row].tolist()} are no probabilities, which are 0 to 1 and "
            "sum to 1"
        )


def check_expected(signature: Signature, expected: Mapping[str, Sequence[Any]], outputs: Outputs) -> None:
    """Refuse answers that are not the expected ones: labels equal, numbers within a millionth.

    Raises:
        AcceptanceFailed: The first difference, with its row.
        BadModelFolder: ``expected`` names an output that the model has not.
    """
    for name, values in expected.items():
        if name not in outputs:
            raise BadModelFolder(f"example.json: \"expected\" names '{name}'; the model returns {', '.join(outputs)}")
        for row, (wanted, got) in enumerate(zip(values, outputs[name].tolist(), strict=True)):
            if isinstance(wanted, dict) and name == "probabilities":
                wanted = _in_order(signature, wanted)
            if not _is_close(wanted, got):
                raise AcceptanceFailed(
                    f"row {row} of the example: expected '{name}' to be {wanted}, the model answers {got}"
                )


def _in_order(signature: Signature, by_class: Mapping[str, Any]) -> list[Any]:
    """Probabilities that were pasted from an answer: by class, true and false as JSON writes them."""
    texts = [str(label).lower() if isinstance(label, bool) else str(label) for label in signature.classes or ()]
    return [by_class.get(text) for text in texts]


def _is_close(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(_is_close, wanted, got))
    if wanted is None or got is None or isinstance(wanted, str | bool) or isinstance(got, str | bool):
        return bool(wanted == got)
    if isinstance(wanted, int) and isinstance(got, int):
        return wanted == got
    if not isinstance(wanted, int | float) or not isinstance(got, int | float):
        return False
    return abs(wanted - got) <= _EXPECTED_ATOL + _EXPECTED_RTOL * abs(wanted)


def lone_rows_differ(together: Outputs, lone: Sequence[Outputs]) -> str | None:
    """What differs when a row is predicted alone, in one sentence; None where nothing does beyond 4 ulp."""
    for row, alone in enumerate(lone):
        for name, array in together.items():
            one, other = np.asarray(alone[name][0]), np.asarray(array[row])
            if _is_same(one, other):
                continue
            shown = f"'{name}' is {one.tolist()} alone and {other.tolist()} among the others"
            if _is_rounding(one, other):
                return f"the last digits of the answer to row {row} depend on the rows predicted with it: {shown}"
            return (
                f"the answer to row {row} depends on the rows predicted with it: {shown}; requests are joined into "
                "batches, so predict must look at each row by itself"
            )
    return None


def _is_same(one: Array, other: Array) -> bool:
    if one.shape != other.shape or one.dtype.kind != "f" or other.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    return _are_within(one, other, _ULPS_MAX * _unit(one, other))


def _is_rounding(one: Array, other: Array) -> bool:
    is_float = one.shape == other.shape and one.dtype.kind == other.dtype.kind == "f"
    return is_float and _are_within(one, other, _ROUNDING_ULPS_MAX * _unit(one, other))


def _unit(one: Array, other: Array) -> float:
    """The unit in the last place of the row's largest number, since smaller ones are often differences of it.

    In single precision where the numbers are such, whatever type they have been given since.
    """
    largest = float(np.nanmax(np.abs([one, other]), initial=0.0))
    is_single = all(np.array_equal(array, array.astype(np.float32), equal_nan=True) for array in (one, other))
    return float(np.spacing(np.float32(largest)) if is_single else np.spacing(largest))


def _are_within(one: Array, other: Array, tolerance: float) -> bool:
    return bool(((np.abs(one - other) <= tolerance) | (np.isnan(one) & np.isnan(other))).all())
