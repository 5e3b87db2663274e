"""Distances of histograms against SciPy, known answers and the limits of their definition."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.spatial.distance
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlp.monitoring.distances import jensen_shannon_distance, population_stability_index

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=20).filter(
    lambda pairs: all(sum(side) > 0 for side in zip(*pairs, strict=True))
)


def sides(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = np.array(pairs, dtype=np.int64)
    return table[:, 0], table[:, 1]


def test_stability_index_of_large_counts_is_the_textbook_sum() -> None:
    reference, window = np.array([50, 50]) * 10**7, np.array([80, 20]) * 10**7

    index = population_stability_index(reference, window)

    assert float(index) == pytest.approx(0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5), rel=1e-5)


def test_stability_index_of_an_empty_bin_is_finite_and_grows_with_the_evidence() -> None:
    reference = np.array([900, 100])

    few, many = population_stability_index(reference, np.array([[20, 0], [20_000, 0]]))

    assert 0.0 < few < many < math.inf


def test_stability_index_of_a_rare_bin_that_a_small_window_misses_is_negligible() -> None:
    assert population_stability_index(np.array([50_000, 5]), np.array([200, 0])) < 0.001


@given(COUNTS)
def test_stability_index_of_anything_is_finite_and_not_negative(pairs: list[tuple[int, int]]) -> None:
    reference, window = sides(pairs)

    index = float(population_stability_index(reference, window))

    assert 0.0 <= index < math.inf


def test_stability_index_of_unchanged_rows_averages_the_value_of_theory() -> None:
    random = np.random.default_rng(4)
    shares, window_rows, reference_rows = np.full(10, 0.1), 500, 5000
    references = random.multinomial(reference_rows, shares, 400)
    windows = random.multinomial(window_rows, shares, 400)

    indices = [population_stability_index(*pair) for pair in zip(references, windows, strict=True)]

    assert np.mean(indices) == pytest.approx(9 * (1 / window_rows + 1 / reference_rows), rel=0.1)


@given(COUNTS)
def test_jensen_shannon_distance_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    reference, window = sides(pairs)

    distance = float(jensen_shannon_distance(reference, window))

    # SciPy's own rounding leaves about 1e-8 where the true distance is zero.
    assert distance == pytest.approx(scipy.spatial.distance.jensenshannon(reference, window, base=2), abs=1e-7)
    assert 0.0 <= distance <= 1.0


def test_jensen_shannon_distance_of_histograms_without_a_common_bin_is_one() -> None:
    assert jensen_shannon_distance(np.array([3, 0, 4]), np.array([0, 9, 0])) == pytest.approx(1.0)


@pytest.mark.parametrize("distance", [population_stability_index, jensen_shannon_distance])
def test_distance_of_many_windows_is_that_of_each(
    distance: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]],
) -> None:
    reference = np.array([40, 30, 20, 0])
    windows = np.array([[4, 3, 2, 0], [0, 9, 0, 1], [40, 30, 20, 0]])

    together = distance(reference, windows)

    assert together == pytest.approx(np.array([distance(reference, window) for window in windows]), rel=1e-12, abs=1e-9)
    assert together[2] == pytest.approx(0.0, abs=1e-4)
