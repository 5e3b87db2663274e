"""Answers as the acceptance run compares them."""

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from mlp.client.answers import booster_answers, expected_answers, task_of
from mlp.errors import BadInput

FRAME = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
KINDS = ["x", "x", "y", "y"]


def test_classifier_answers_label_and_probabilities() -> None:
    model = LogisticRegression().fit(FRAME, KINDS)

    expected = expected_answers(model, FRAME, task_of(model))

    assert expected is not None
    assert expected["label"] == KINDS
    assert expected["probabilities"] == model.predict_proba(FRAME).tolist()


def test_classifier_without_probabilities_answers_the_label() -> None:
    model = LinearSVC().fit(FRAME, KINDS)

    assert expected_answers(model, FRAME, "classification") == {"label": KINDS}


def test_regressor_answers_floats() -> None:
    model = LinearRegression().fit(FRAME, np.array([1, 2, 3, 4]))

    expected = expected_answers(model, FRAME, task_of(model))

    assert expected is not None
    assert expected["value"] == pytest.approx([1.0, 2.0, 3.0, 4.0])


def test_model_fitted_on_a_matrix_is_asked_with_a_matrix() -> None:
    model = LogisticRegression().fit(FRAME.to_numpy(), KINDS)

    expected = expected_answers(model, FRAME, "classification")

    assert expected is not None
    assert expected["label"] == KINDS


def test_several_values_a_row_are_left_to_the_server() -> None:
    model = LinearRegression().fit(FRAME, FRAME)

    assert expected_answers(model, FRAME, "regression") is None


def test_unknown_task_is_left_to_the_server() -> None:
    assert expected_answers(LinearRegression(), FRAME, None) is None


def test_model_that_fails_on_the_example_is_named() -> None:
    class Broken(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def predict(self, _features: Any) -> Any:
            raise KeyError("age")

    with pytest.raises(BadInput, match="the model fails on the example: KeyError: 'age'"):
        expected_answers(Broken(), FRAME, "classification")


def test_columns_that_the_model_was_not_fitted_on_are_named() -> None:
    model = LogisticRegression().fit(FRAME, KINDS)

    with pytest.raises(
        BadInput, match=r"it was fitted on the columns a, b and was given a, c: give it those, or say by"
    ):
        expected_answers(model, FRAME.rename(columns={"b": "c"}), "classification")


def test_booster_of_two_classes_answers_both_probabilities() -> None:
    booster = _trained("binary", [0, 0, 1, 1])

    probabilities = np.array(booster_answers(booster, FRAME)["probabilities"])

    assert np.array_equal(probabilities[:, 1], booster.predict(FRAME))
    assert np.array_equal(probabilities[:, 0], 1.0 - booster.predict(FRAME))


def test_booster_of_many_classes_answers_its_probabilities() -> None:
    booster = _trained("multiclass", [0, 1, 2, 2])

    assert booster_answers(booster, FRAME) == {"probabilities": booster.predict(FRAME).tolist()}


def test_booster_of_a_regression_answers_values() -> None:
    booster = _trained("regression", [0, 1, 2, 3])

    assert booster_answers(booster, FRAME) == {"value": booster.predict(FRAME).tolist()}


def _trained(objective: str, labels: list[int]) -> Any:
    parameters = {"objective": objective, "verbose": -1, "min_data_in_leaf": 1, "min_data_in_bin": 1}
    if objective == "multiclass":
        parameters["num_class"] = 3
    return lightgbm.train(parameters, lightgbm.Dataset(FRAME, labels), 3)
