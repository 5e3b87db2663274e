"""Intervals against their definitions, published values and SciPy; and that they cover what they say."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlp.monitoring.intervals import (
    auc_interval,
    binary_intervals,
    mean_interval,
    multiclass_intervals,
    proportion_interval,
    regression_intervals,
)
from mlp.monitoring.scores import binary_scores, multiclass_scores, regression_scores


def delong_by_definition(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float, float]:
    """Area and variance from all pairs, as equations 5 to 7 of DeLong and others (1988) give them."""
    positive, negative = scores[labels][:, np.newaxis], scores[~labels]
    wins = (positive > negative) + 0.5 * (positive == negative)
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    return float(wins.mean()), float(variance)


@pytest.mark.parametrize("decimals", [1, 6])
def test_auc_interval_is_that_of_the_definition(decimals: int) -> None:
    random = np.random.default_rng(2)
    labels = random.random(300) < 0.3
    scores = np.round(random.normal(labels.astype(float), 1.0), decimals)

    interval = auc_interval(labels, scores)

    area, variance = delong_by_definition(labels, scores)
    reach = 1.959964 * variance**0.5 / (area * (1 - area))
    expected = [1 / (1 + math.exp(-(math.log(area / (1 - area)) + side))) for side in (-reach, reach)]
    assert interval == pytest.approx(expected, rel=1e-6)


def test_auc_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(8)
    truth = float(scipy.stats.norm.cdf(1.0 / 2**0.5))
    labels = np.arange(200) < 50
    covered = 0
    for _ in range(400):
        interval = auc_interval(labels, random.normal(labels.astype(float), 1.0))
        assert interval is not None
        covered += interval[0] <= truth <= interval[1]

    # Binomial(400, 0.95) lies within 5 standard deviations of 380.
    assert 358 <= covered <= 400


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([], []),
        ([True, True, True], [0.1, 0.2, 0.3]),
        ([True, False, False], [0.9, 0.3, 0.2]),
        ([True, True, False, False], [0.9, 0.8, 0.3, 0.2]),
        ([True, True, False, False], [0.5, 0.5, 0.5, 0.5]),
        ([True, False, True, False], [0.9, math.nan, 0.2, 0.4]),
    ],
)
def test_auc_interval_that_cannot_be_had_is_none(labels: list[bool], scores: list[float]) -> None:
    assert auc_interval(np.array(labels, dtype=bool), np.array(scores, dtype=np.float64)) is None


@given(hits=st.integers(0, 300), misses=st.integers(0, 300))
def test_proportion_interval_is_that_of_scipy(hits: int, misses: int) -> None:
    interval = proportion_interval(hits, hits + misses)

    if hits + misses == 0:
        assert interval is None
        return
    expected = scipy.stats.binomtest(hits, hits + misses).proportion_ci(method="wilson")
    assert interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_proportion_interval_of_a_published_example() -> None:
    # Newcombe (1998), Statistics in Medicine 17:857, table I: 81 of 263, method 3 without continuity correction.
    assert proportion_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_mean_interval_is_the_normal_one() -> None:
    values = np.random.default_rng(0).exponential(size=500)

    interval = mean_interval(values, confidence=0.9)

    expected = scipy.stats.norm.interval(0.9, values.mean(), scipy.stats.sem(values))
    assert interval == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_mean_interval_that_cannot_be_had_is_none(values: list[float]) -> None:
    assert mean_interval(np.array(values, dtype=np.float64)) is None


def test_binary_intervals_hold_the_scores_of_the_same_names() -> None:
    random = np.random.default_rng(1)
    labels = random.random(500) < 0.3
    probabilities = np.clip(random.normal(0.3 + 0.2 * labels, 0.15), 0.0, 1.0)

    intervals = binary_intervals(labels, probabilities, probabilities > 0.4)

    scores = binary_scores(labels, probabilities, probabilities > 0.4)
    assert_around(scores, intervals)
    assert set(intervals) == {
        "auc", "log_loss", "brier", "base_rate", "mean_score", "accuracy", "precision", "recall",
    }  # fmt: skip


def test_multiclass_intervals_hold_the_scores_of_the_same_names() -> None:
    random = np.random.default_rng(1)
    labels, predicted = random.integers(0, 3, (2, 200))
    probabilities = random.dirichlet(np.ones(3), size=200)

    intervals = multiclass_intervals(labels, predicted, probabilities)

    assert_around(multiclass_scores(labels, predicted, probabilities), intervals)
    assert set(intervals) == {"accuracy", "log_loss"}


def test_regression_intervals_hold_the_scores_of_the_same_names() -> None:
    labels, predicted = np.random.default_rng(1).normal(size=(2, 200))

    intervals = regression_intervals(labels, predicted)

    assert_around(regression_scores(labels, predicted), intervals)
    assert set(intervals) == {"mae", "rmse", "bias"}


def test_intervals_of_no_rows_are_none() -> None:
    no_labels, no_numbers, no_classes = np.empty(0, dtype=bool), np.empty(0), np.empty(0, dtype=np.int64)

    assert set(binary_intervals(no_labels, no_numbers, no_labels).values()) == {None}
    assert set(multiclass_intervals(no_classes, no_classes, np.empty((0, 3))).values()) == {None}
    assert set(regression_intervals(no_numbers, no_numbers).values()) == {None}


def test_rmse_interval_of_two_rows_does_not_fall_below_zero() -> None:
    interval = regression_intervals(np.array([0.0, 0.0]), np.array([0.0, 9.0]))["rmse"]

    assert interval is not None
    assert interval[0] == 0.0


def assert_around(scores: dict[str, float | None], intervals: dict[str, tuple[float, float] | None]) -> None:
    for name, interval in intervals.items():
        score = scores[name]
        assert interval is not None
        assert score is not None
        assert interval[0] < score < interval[1]
