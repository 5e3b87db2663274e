"""What a model returns becomes outputs by name, or a clear error."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlp.errors import AcceptanceFailed, ModelFailed
from mlp.runtimes.answers import AnswerReader, completed, with_classes
from mlp.signature import DType, Field, Outputs, Signature, Task

_EMPTY = Signature(Task.TENSORS, ())
_TWO = with_classes(_EMPTY, ("no", "yes"), has_probabilities=True)
_VALUE = Signature(Task.REGRESSION, ())
_TENSORS = Signature(Task.TENSORS, (), (Field("a", DType.FLOAT32, shape=(2,)), Field("b", DType.STRING)))
_P = [[0.75, 0.25], [0.125, 0.875]]


@pytest.mark.parametrize(
    "answer",
    [
        np.array(_P),
        np.array(_P, dtype=np.float32),
        _P,
        {"probabilities": _P},
        {"label": ["no", "yes"], "probabilities": np.array(_P)},
        pd.DataFrame({"yes": [0.25, 0.875], "no": [0.75, 0.125]}),
        pd.DataFrame({"label": ["no", "yes"], "yes": [0.25, 0.875], "no": [0.75, 0.125]}),
    ],
)
def test_probabilities_in_any_form_give_label_and_probabilities(answer: Any) -> None:
    outputs = AnswerReader(_TWO).read(answer, 2)

    assert outputs["label"].tolist() == ["no", "yes"]
    assert outputs["probabilities"].tolist() == _P
    assert outputs["probabilities"].dtype == np.float64


@pytest.mark.parametrize("answer", [["no", "yes"], np.array([["no"], ["yes"]]), pd.Series(["no", "yes"])])
def test_labels_alone_give_labels(answer: Any) -> None:
    outputs = AnswerReader(_TWO).read(answer, 2)

    assert list(outputs) == ["label"]
    assert outputs["label"].tolist() == ["no", "yes"]


@pytest.mark.parametrize("classes", [(False, True), (0, 1), (0.5, 1.5), ("a", 1)])
def test_labels_taken_from_probabilities_are_the_classes_themselves(classes: tuple[Any, ...]) -> None:
    reader = AnswerReader(with_classes(_EMPTY, classes, has_probabilities=True))

    labels = reader.read(np.array(_P), 2)["label"].tolist()

    assert [(type(label), label) for label in labels] == [(type(label), label) for label in classes]


@pytest.mark.parametrize(
    "answer",
    [[1, 2], np.array([1.0, 2.0]), np.array([[1.0], [2.0]]), {"value": [1, 2]}, pd.DataFrame({"value": [1, 2]})],
)
def test_numbers_in_any_form_give_values(answer: Any) -> None:
    outputs = AnswerReader(_VALUE).read(answer, 2)

    assert outputs["value"].tolist() == [1.0, 2.0]
    assert outputs["value"].dtype == np.float64


def test_tensors_come_in_the_signature_s_types_and_order() -> None:
    outputs = AnswerReader(_TENSORS).read({"b": ["x", "y"], "a": np.zeros((2, 2))}, 2)

    assert list(outputs) == ["a", "b"]
    assert outputs["a"].dtype == np.float32


@pytest.mark.parametrize(
    ("signature", "answer", "said"),
    [
        (_TWO, np.array(_P[:1]), "was given 2 rows and returned 1 rows for 'label'"),
        (_TWO, np.zeros((2, 3)), r"probabilities of the shape \[2, 3\]; its 2 classes"),
        (_TWO, [[np.nan, 1.0], [0.5, 0.5]], r"returned \[nan, 1.0\] as 'probabilities' of row 0"),
        (_TWO, {"labels": ["no", "yes"]}, "returned 'labels'; a classification returns 'label' and 'probabilities'"),
        (_TWO, {}, "neither 'label' nor 'probabilities'"),
        (_TWO, None, "returned None: does predict lack its return"),
        (_TWO, "yes", "returned a str; expected one answer for each row"),
        (_TWO, [[1.0], [1.0, 2.0]], "lists of uneven length"),
        (_EMPTY.__class__(Task.CLASSIFICATION, ()), np.array(_P), "name their classes in mlp.toml"),
        (_VALUE, [1.0, np.inf], "returned inf as 'value' of row 1"),
        (_VALUE, ["a", "b"], "'value' that is no number"),
        (_VALUE, [1.0], "was given 2 rows and returned 1 rows for 'value'"),
        (_VALUE, np.zeros((2, 2)), r"'value' of the shape \[2, 2\]"),
        (_VALUE, {"label": [1, 2]}, "returned label; a regression returns 'value'"),
        (_TENSORS, {"a": np.zeros((2, 2))}, "returned the outputs a; its signature has a, b"),
        (_TENSORS, {"a": ["x", "y"], "b": ["x", "y"]}, "'a' as <U1; its signature says float32"),
    ],
)
def test_answers_that_do_not_fit_are_refused_with_what_is_wrong(signature: Signature, answer: Any, said: str) -> None:
    with pytest.raises(ModelFailed, match=said):
        AnswerReader(signature).read(answer, 2)


@pytest.mark.parametrize(
    ("outputs", "task"),
    [
        ({"output": np.array([1.5])}, Task.REGRESSION),
        ({"output": np.array([[1.5]])}, Task.REGRESSION),
        ({"value": np.array([1])}, Task.REGRESSION),
        ({"output": np.array(["a"])}, Task.CLASSIFICATION),
        ({"output": np.array([True])}, Task.CLASSIFICATION),
        ({"label": np.array([1])}, Task.CLASSIFICATION),
        ({"output": np.array([[1.0, 2.0]])}, Task.TENSORS),
        ({"x": np.array([1.0]), "y": np.array([1.0])}, Task.TENSORS),
    ],
)
def test_task_is_inferred_from_the_form_of_the_answer(outputs: Outputs, task: Task) -> None:
    assert completed(_EMPTY, outputs, task=None).task is task


def test_task_of_whole_numbers_is_asked_for() -> None:
    with pytest.raises(AcceptanceFailed, match='task = "classification" or task = "regression"'):
        completed(_EMPTY, {"output": np.array([1, 2])}, task=None)


def test_completed_tensors_are_described_by_their_arrays() -> None:
    signature = completed(_EMPTY, {"x": np.zeros((4, 3), np.float32), "s": np.array(["a"])}, task=None)

    assert signature.outputs == (Field("x", DType.FLOAT32, shape=(3,)), Field("s", DType.STRING))
