"""P-values against SciPy, and the properties that make them p-values."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlp.monitoring.significance import adjust_p_values, chi2_survival, homogeneity_p_value, merge_sparse


def counts(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize("degrees", [0.5, 1, 2, 3, 9, 12, 51, 200, 2000])
@pytest.mark.parametrize("ratio", [1e-12, 1e-3, 0.1, 0.5, 0.9, 0.999, 1.0, 1.001, 1.1, 2.0, 5.0, 20.0])
def test_chi2_survival_is_that_of_scipy(degrees: float, ratio: float) -> None:
    statistic = degrees * ratio

    assert chi2_survival(statistic, degrees) == pytest.approx(scipy.special.chdtrc(degrees, statistic), rel=1e-10)


@given(statistic=st.floats(0.0, 1500.0), degrees=st.integers(1, 300))
def test_chi2_survival_of_anything_is_that_of_scipy(statistic: float, degrees: int) -> None:
    expected = scipy.special.chdtrc(degrees, statistic)

    assert chi2_survival(statistic, degrees) == pytest.approx(expected, rel=1e-10, abs=1e-300)


def test_chi2_survival_of_published_critical_values() -> None:
    # NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.4.
    assert chi2_survival(3.841, 1) == pytest.approx(0.05, abs=2e-5)
    assert chi2_survival(23.209, 10) == pytest.approx(0.01, abs=1e-5)


def test_chi2_survival_of_an_enormous_statistic_is_zero() -> None:
    assert chi2_survival(1e7, 11) == 0.0


def test_homogeneity_of_full_cells_is_the_test_of_scipy() -> None:
    first, second = counts(400, 300, 200, 100), counts(30, 40, 20, 10)

    p_value = homogeneity_p_value(first, second)

    expected = scipy.stats.chi2_contingency(np.stack([first, second]), correction=False).pvalue
    assert p_value == pytest.approx(expected, rel=1e-10)


def test_homogeneity_of_sparse_cells_is_the_test_of_the_merged_table() -> None:
    first, second = counts(400, 300, 3, 0, 4), counts(90, 60, 1, 0, 2)

    p_value = homogeneity_p_value(first, second)

    expected = scipy.stats.chi2_contingency([[400, 300, 7], [90, 60, 3]], correction=False).pvalue
    assert p_value == pytest.approx(expected, rel=1e-10)


def test_homogeneity_with_dispersion_divides_the_statistic() -> None:
    first, second = counts(5000, 5000), counts(450, 550)
    statistic = scipy.stats.chi2_contingency(np.stack([first, second]), correction=False).statistic

    p_value = homogeneity_p_value(first, second, dispersion=4.0)

    assert p_value == pytest.approx(scipy.stats.chi2.sf(statistic / 4.0, 1), rel=1e-10)


@pytest.mark.parametrize(
    ("first", "second"),
    [(counts(0, 0), counts(5, 5)), (counts(9, 9), counts(0, 0)), (counts(900, 0), counts(90, 0))],
)
def test_homogeneity_that_nothing_can_tell_is_one(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    assert homogeneity_p_value(first, second) == 1.0


def test_homogeneity_of_a_bin_that_only_the_window_knows_is_nearly_zero() -> None:
    assert homogeneity_p_value(counts(50_000, 50_000, 0), counts(90, 90, 20)) < 1e-12


def test_homogeneity_of_one_distribution_is_below_a_level_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(20130301)
    shares = np.array([0.5, 0.3, 0.15, 0.04, 0.009, 0.001])
    references, windows = random.multinomial(5000, shares, 2000), random.multinomial(300, shares, 2000)

    p_values = [homogeneity_p_value(*pair) for pair in zip(references, windows, strict=True)]

    # Binomial(2000, 0.05) lies within 5 standard deviations of 100.
    assert 51 <= sum(value < 0.05 for value in p_values) <= 149


def test_merge_sparse_adds_up_small_cells_and_drops_impossible_ones() -> None:
    table = np.array([[10.0, 1.0, 2.0, 7.0]])

    merged = merge_sparse(table, np.array([10.0, 1.0, 0.0, 4.9]))

    assert merged.tolist() == [[10.0, 8.0]]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60))
def test_adjusted_p_values_are_those_of_scipy(values: list[float]) -> None:
    p_values = np.array(values)

    adjusted = adjust_p_values(p_values)

    assert adjusted == pytest.approx(scipy.stats.false_discovery_control(p_values), rel=1e-12, abs=0.0)


def test_adjusted_p_values_of_none_are_none() -> None:
    assert adjust_p_values(np.empty(0)).tolist() == []
