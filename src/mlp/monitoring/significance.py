"""P-values without SciPy: the chi-square tail, a test of two histograms, and the correction for many tests."""

import math

import numpy as np
from numpy.typing import NDArray

# Cells that expect fewer rows are merged before the test; Cochran (1954), Biometrics 10:417, rule of five.
EXPECTED_ROWS_MIN = 5.0

_ITERATIONS_MAX = 10_000
_RELATIVE_PRECISION = 1e-15
_TINY = 1e-300


def chi2_survival(statistic: float, degrees_of_freedom: float) -> float:
    """Probability, 0..1, that a chi-square variable exceeds ``statistic``.

    It is Q(a, x), the regularised upper incomplete gamma function, with a = degrees_of_freedom / 2 and
    x = statistic / 2. Agrees with SciPy to a relative 1e-10 as far as double precision reaches.

    Args:
        statistic: At least 0.
        degrees_of_freedom: More than 0.

    Source: DLMF 8.11.4 (series, for x < a + 1) and 8.9.2 (continued fraction, evaluated by Lentz's method, beyond);
        the choice between them follows Press et al., Numerical Recipes, 3rd edition, section 6.2.
    """
    shape, bound = degrees_of_freedom / 2.0, statistic / 2.0
    if bound <= 0.0:
        return 1.0
    # x^a e^-x / Gamma(a), the factor that both expansions share.
    scale = math.exp(shape * math.log(bound) - bound - math.lgamma(shape))
    if bound < shape + 1.0:
        return 1.0 - scale * _lower_series(shape, bound)
    return scale * _upper_fraction(shape, bound)


def _lower_series(shape: float, bound: float) -> float:
    """The sum over k of x^k / (a (a+1) ... (a+k)), DLMF 8.11.4."""
    term = total = 1.0 / shape
    for step in range(1, _ITERATIONS_MAX):
        term *= bound / (shape + step)
        total += term
        if term < total * _RELATIVE_PRECISION:
            break
    return total


def _upper_fraction(shape: float, bound: float) -> float:
    """The even part of DLMF's continued fraction 8.9.2, by the modified method of Lentz."""
    denominator_term = bound + 1.0 - shape
    ratio_c = 1.0 / _TINY
    ratio_d = 1.0 / denominator_term
    value = ratio_d
    for step in range(1, _ITERATIONS_MAX):
        numerator_term = step * (shape - step)
        denominator_term += 2.0
        ratio_d = numerator_term * ratio_d + denominator_term
        ratio_c = denominator_term + numerator_term / ratio_c
        # Lentz's method replaces a vanishing term by a tiny one.
        ratio_d = 1.0 / (ratio_d if abs(ratio_d) > _TINY else _TINY)
        ratio_c = ratio_c if abs(ratio_c) > _TINY else _TINY
        change = ratio_c * ratio_d
        value *= change
        if abs(change - 1.0) < _RELATIVE_PRECISION:
            break
    return value


def homogeneity_p_value(first: NDArray[np.int64], second: NDArray[np.int64], *, dispersion: float = 1.0) -> float:
    """Probability of histograms at least this different if both came from one distribution; 1.0 if none can tell.

    Pearson's chi-square on the two rows of counts. Cells that expect fewer than five rows in the smaller histogram are
    merged into one, because the chi-square law does not hold for them.

    Args:
        first: Counts [bins].
        second: Counts [bins], of the same bins.
        dispersion: How many times more the counts vary than independent rows would, at least 1. The statistic is
            divided by it, which is the first-order correction of Rao and Scott for rows that come in clusters.

    Source: Pearson (1900); Rao and Scott (1981), Journal of the American Statistical Association 76:221; McCullagh and
        Nelder (1989), Generalized Linear Models, section 5.5.
    """
    table = np.stack([first, second]).astype(np.float64)
    rows = table.sum(axis=1)
    if rows.min() == 0.0:
        return 1.0
    shares = table.sum(axis=0) / rows.sum()
    table = merge_sparse(table, shares * rows.min())
    if table.shape[1] < 2:
        return 1.0
    expected = np.outer(rows, table.sum(axis=0) / rows.sum())
    statistic = float(((table - expected) ** 2 / expected).sum())
    return chi2_survival(statistic / dispersion, table.shape[1] - 1)


def merge_sparse(table: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns of a table [rows, bins], those expecting fewer than five added up in one last column.

    Columns that expect nothing at all are left out. The merged column may itself stay below five.

    Args:
        table: Counts [rows, bins].
        expected: Expected counts [bins] of the smallest row.
    """
    is_sparse = (expected > 0.0) & (expected < EXPECTED_ROWS_MIN)
    full = table[:, expected >= EXPECTED_ROWS_MIN]
    if not is_sparse.any():
        return full
    return np.column_stack([full, table[:, is_sparse].sum(axis=1)])


def adjust_p_values(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values [tests] adjusted so that flagging those below q keeps the share of false flags below q.

    Source: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289; the step-up procedure,
        written as adjusted p-values: the smallest of p(j) n / j over all j from the rank of the test upwards.
    """
    tests = len(p_values)
    order = np.argsort(p_values)
    scaled = p_values[order] * tests / np.arange(1, tests + 1)
    adjusted = np.empty(tests)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(adjusted, 1.0)
