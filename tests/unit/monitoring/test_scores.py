"""Scores against scikit-learn; what is not defined is None."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mlp.monitoring.scores import (
    area_under_roc,
    average_precision,
    binary_scores,
    expected_calibration_error,
    macro_f1,
    mean_of,
    mid_ranks,
    multiclass_scores,
    regression_scores,
)

# Multiples of 1/16 make ties and probabilities of exactly 0 and 1 likely, and are exact in float64.
PROBABILITY = st.integers(0, 16).map(lambda sixteenths: sixteenths / 16) | st.floats(0.0, 1.0)
BINARY_ROWS = st.lists(st.tuples(st.booleans(), PROBABILITY, st.booleans()), min_size=2, max_size=60)
NUMBER = st.floats(-1e6, 1e6)

BinaryRows = list[tuple[bool, float, bool]]
BinaryColumns = tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]


def binary_columns(rows: BinaryRows) -> BinaryColumns:
    labels, probabilities, predicted = zip(*rows, strict=True)
    return np.array(labels), np.array(probabilities, dtype=np.float64), np.array(predicted)


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(BINARY_ROWS)
def test_binary_scores_of_both_classes_are_those_of_scikit_learn(rows: BinaryRows) -> None:
    labels, probabilities, predicted = binary_columns(rows)
    assume(0 < labels.sum() < len(labels) and 0 < predicted.sum() < len(labels))

    scores = binary_scores(labels, probabilities, predicted)

    assert scores == {
        "auc": near(sklearn.metrics.roc_auc_score(labels, probabilities)),
        "average_precision": near(sklearn.metrics.average_precision_score(labels, probabilities)),
        "log_loss": near(sklearn.metrics.log_loss(labels, probabilities)),
        "brier": near(sklearn.metrics.brier_score_loss(labels, probabilities)),
        "ece": near(calibration_error_by_scikit_learn(labels, probabilities)),
        "base_rate": near(labels.mean()),
        "mean_score": near(probabilities.mean()),
        "accuracy": near(sklearn.metrics.accuracy_score(labels, predicted)),
        "precision": near(sklearn.metrics.precision_score(labels, predicted)),
        "recall": near(sklearn.metrics.recall_score(labels, predicted)),
        "f1": near(sklearn.metrics.f1_score(labels, predicted)),
        "mcc": near(sklearn.metrics.matthews_corrcoef(labels, predicted)),
    }


def calibration_error_by_scikit_learn(labels: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    # Its bins are closed above, ours below: a value on an inner edge is moved into the upper bin for it.
    lifted = np.where((probabilities * 10) % 1 == 0, np.clip(probabilities + 1e-12, 0.0, 1.0), probabilities)
    frequency, mean = sklearn.calibration.calibration_curve(labels, lifted, n_bins=10)
    bins = np.minimum((lifted * 10).astype(int), 9)
    rows = np.bincount(bins, minlength=10)
    return float((np.abs(frequency - mean) * rows[rows > 0]).sum() / len(labels))


def test_binary_scores_of_ten_thousand_rows_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(11)
    labels = random.random(10_000) < 0.25
    probabilities = np.clip(np.round(random.normal(0.3 + 0.1 * labels, 0.1), 2), 0.0, 1.0)

    scores = binary_scores(labels, probabilities)

    assert scores["auc"] == near(sklearn.metrics.roc_auc_score(labels, probabilities))
    assert scores["average_precision"] == near(sklearn.metrics.average_precision_score(labels, probabilities))
    assert "accuracy" not in scores


def test_calibration_error_of_a_known_example() -> None:
    labels = np.array([False, False, True, True])

    error = expected_calibration_error(labels, np.array([0.05, 0.05, 0.65, 0.95]))

    assert error == pytest.approx((0.1 + 0.35 + 0.05) / 4)


@pytest.mark.parametrize("label", [False, True])
def test_binary_scores_of_one_class_leave_out_what_needs_two(label: bool) -> None:
    labels = np.full(5, label)

    scores = binary_scores(labels, np.linspace(0.1, 0.9, 5), labels)

    assert scores["auc"] is None
    assert scores["mcc"] is None
    assert scores["log_loss"] is not None
    assert scores["accuracy"] == 1.0
    assert (scores["average_precision"] is None) == (not label)
    assert (scores["recall"] is None) == (not label)


def test_binary_scores_of_no_rows_are_none() -> None:
    empty = np.empty(0, dtype=bool)

    scores = binary_scores(empty, np.empty(0), empty)

    assert set(scores.values()) == {None}


def test_binary_scores_of_a_probability_that_is_no_number_leave_out_what_needs_it() -> None:
    labels = np.array([True, False, True])

    scores = binary_scores(labels, np.array([0.5, math.nan, 0.2]), labels)

    defined = {name for name, score in scores.items() if score is not None}
    assert defined == {"base_rate", "accuracy", "precision", "recall", "f1", "mcc"}


def test_log_loss_of_a_certain_and_wrong_probability_is_finite() -> None:
    scores = binary_scores(np.array([True, False]), np.array([0.0, 0.0]))

    assert scores["log_loss"] == pytest.approx(-math.log(np.finfo(np.float64).eps) / 2)


def test_area_under_roc_of_equal_scores_is_a_half() -> None:
    assert area_under_roc(np.array([True, False, False]), np.full(3, 0.4)) == 0.5


def test_average_precision_without_positives_is_none() -> None:
    assert average_precision(np.zeros(3, dtype=bool), np.full(3, 0.4)) is None


@settings(max_examples=50, deadline=None)
@given(
    st.integers(2, 5).flatmap(
        lambda classes: st.tuples(
            st.just(classes),
            st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40),
        )
    ),
    st.integers(0, 1000),
)
def test_multiclass_scores_are_those_of_scikit_learn(case: tuple[int, list[tuple[int, int]]], seed: int) -> None:
    classes, rows = case
    labels, predicted = np.array(rows, dtype=np.int64).T
    probabilities = np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), size=len(labels))

    scores = multiclass_scores(labels, predicted, probabilities)

    assert scores == {
        "accuracy": near(sklearn.metrics.accuracy_score(labels, predicted)),
        "macro_f1": near(sklearn.metrics.f1_score(labels, predicted, average="macro")),
        "log_loss": near(sklearn.metrics.log_loss(labels, probabilities, labels=range(classes))),
    }


def test_multiclass_scores_of_no_rows_are_none() -> None:
    empty = np.empty(0, dtype=np.int64)

    assert set(multiclass_scores(empty, empty, np.empty((0, 3))).values()) == {None}
    assert macro_f1(empty, empty) is None


def test_multiclass_scores_without_probabilities_have_no_log_loss() -> None:
    labels = np.array([0, 1, 2])

    assert multiclass_scores(labels, labels) == {"accuracy": 1.0, "macro_f1": 1.0}


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 40), st.just(2)), elements=NUMBER))
def test_regression_scores_are_those_of_scikit_learn(rows: NDArray[np.float64]) -> None:
    labels, predicted = rows.T
    assume(np.ptp(labels) > 1e-3)

    scores = regression_scores(labels, predicted)

    assert scores["mae"] == near(sklearn.metrics.mean_absolute_error(labels, predicted))
    assert scores["rmse"] == near(sklearn.metrics.root_mean_squared_error(labels, predicted))
    assert scores["r2"] == near(sklearn.metrics.r2_score(labels, predicted))
    assert scores["bias"] == near(np.mean(predicted - labels))


@pytest.mark.parametrize(
    ("labels", "predicted", "undefined"),
    [
        ([], [], {"mae", "rmse", "bias", "r2"}),
        ([1.0], [2.0], {"r2"}),
        ([3.0, 3.0], [2.0, 4.0], {"r2"}),
        ([1.0, 2.0], [math.inf, 2.0], {"mae", "rmse", "bias", "r2"}),
        ([1.0, 2.0], [math.nan, 2.0], {"mae", "rmse", "bias", "r2"}),
    ],
)
def test_regression_scores_that_are_not_defined_are_none(
    labels: list[float], predicted: list[float], undefined: set[str]
) -> None:
    scores = regression_scores(np.array(labels, dtype=np.float64), np.array(predicted, dtype=np.float64))

    assert {name for name, score in scores.items() if score is None} == undefined


@given(st.lists(st.integers(-3, 3) | st.just(math.inf) | st.just(-math.inf), max_size=30))
def test_mid_ranks_are_those_of_their_definition(values: list[float]) -> None:
    column = np.array(values, dtype=np.float64)

    ranks = mid_ranks(column)

    below = (column[:, np.newaxis] > column).sum(axis=1)
    equal = (column[:, np.newaxis] == column).sum(axis=1)
    assert ranks.tolist() == (below + (equal + 1) / 2).tolist()


@pytest.mark.parametrize("score", [area_under_roc, average_precision, expected_calibration_error])
def test_score_of_no_rows_is_none(
    score: Callable[[NDArray[np.bool_], NDArray[np.float64]], float | None],
) -> None:
    assert score(np.empty(0, dtype=bool), np.empty(0)) is None


def test_mean_of_no_rows_is_none() -> None:
    assert mean_of(np.empty(0)) is None
