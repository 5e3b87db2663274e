"""Answers are compared with the expected ones, and of a row alone with the same among others."""

from typing import Any

import numpy as np
import pytest

from mlp.errors import AcceptanceFailed, BadModelFolder
from mlp.registry.comparison import check_expected, check_labels, lone_rows_differ
from mlp.runtimes.answers import with_classes
from mlp.signature import Outputs, Signature, Task

_TWO = with_classes(Signature(Task.TENSORS, ()), (False, True), has_probabilities=True)


def _answers(label: list[Any], probabilities: list[list[float]]) -> Outputs:
    return {"label": np.array(label), "probabilities": np.array(probabilities)}


@pytest.mark.parametrize(
    "expected",
    [
        {"label": [False]},
        {"probabilities": [[0.75, 0.25]]},
        {"probabilities": [[0.75000001, 0.24999999]]},
        {"probabilities": [{"true": 0.25, "false": 0.75}]},
        {"label": [False], "probabilities": [[0.75, 0.25]]},
    ],
)
def test_expected_answers_that_are_met_pass(expected: Any) -> None:
    check_expected(_TWO, expected, _answers([False], [[0.75, 0.25]]))


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({"label": [False, True]}, "row 1 of the example: expected 'label' to be True, the model answers False"),
        ({"label": ["false", False]}, "row 0 of the example: expected 'label' to be false"),
        ({"probabilities": [[0.75, 0.25], [0.75001, 0.25]]}, "row 1 of the example: expected 'probabilities'"),
        ({"probabilities": [[0.75, 0.25], [1.0]]}, "row 1 of the example"),
        ({"probabilities": [0.75, 0.25]}, "row 0 of the example"),
    ],
)
def test_expected_answers_that_are_not_met_name_the_first_difference(expected: Any, said: str) -> None:
    with pytest.raises(AcceptanceFailed, match=said):
        check_expected(_TWO, expected, _answers([False, False], [[0.75, 0.25]] * 2))


def test_expected_output_that_the_model_has_not_is_named() -> None:
    with pytest.raises(BadModelFolder, match="names 'value'; the model returns label, probabilities"):
        check_expected(_TWO, {"value": [1.0]}, _answers([False], [[0.75, 0.25]]))


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (_answers([False, 7], [[1, 0], [0, 1]]), "row 1 of the example: the model answers 7, which is none of its"),
        (_answers([False], [[1.5, -0.5]]), r"row 0 of the example: \[1.5, -0.5\] are no probabilities"),
        (_answers([False, True], [[0.5, 0.5], [0.5, 0.4]]), r"row 1 of the example: \[0.5, 0.4\] are no"),
    ],
)
def test_labels_and_probabilities_that_are_none_are_refused(outputs: Outputs, said: str) -> None:
    with pytest.raises(AcceptanceFailed, match=said):
        check_labels(_TWO, outputs)


def test_rows_that_answer_alike_alone_and_together_do_not_differ() -> None:
    together = _answers([False, True], [[0.75, 0.25], [0.125, 0.875]])
    lone = [_answers([False], [[np.nextafter(0.75, 1), 0.25]]), _answers([True], [[0.125, 0.875]])]

    assert lone_rows_differ(together, lone) is None


def test_rows_of_single_precision_are_compared_in_its_units() -> None:
    one = np.float32(0.7)
    together = {"value": np.array([one, np.nan], dtype=np.float64)}
    lone = [{"value": np.array([np.nextafter(one, np.float32(1))], dtype=np.float64)}, {"value": np.array([np.nan])}]

    assert lone_rows_differ(together, lone) is None


def test_row_that_depends_on_the_others_is_told() -> None:
    together = _answers([False, True], [[0.75, 0.25], [0.25, 0.75]])
    lone = [_answers([False], [[0.75, 0.25]]), _answers([True], [[0.375, 0.625]])]

    said = lone_rows_differ(together, lone)

    assert said is not None
    assert "row 1 depends on the rows predicted with it: 'probabilities' is [0.375, 0.625] alone" in said
    assert "predict must look at each row by itself" in said


def test_row_whose_last_digits_depend_on_the_others_is_told_apart() -> None:
    together = {"value": np.array([1.0 + 1e-14])}

    said = lone_rows_differ(together, [{"value": np.array([1.0])}])

    assert said is not None
    assert said.startswith("the last digits of the answer to row 0 depend")
