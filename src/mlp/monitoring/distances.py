"""Distances between histograms, each for many windows at a time; what counts as far is decided in ``drift.py``."""

import numpy as np
from numpy.typing import NDArray

from mlp.monitoring.histograms import Counts


def population_stability_index(reference: Counts, windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum over bins of (q - p) ln(q / p), at least 0 and without bound.

    Empty bins are smoothed so that the index stays finite and a small window does not look shifted by it: every bin
    that either side has seen gets half a row in the reference (the prior of Krichevsky and Trofimov), and the window
    gets one more row, spread over the bins as in the reference. Bins that neither has seen count nothing.

    Args:
        reference: Counts [bins], at least one row.
        windows: Counts [..., bins], at least one row each.

    Returns:
        One index for each window, float64 [...].

    Source: Jeffreys (1946), Proceedings of the Royal Society A 186:453, the divergence J; as a stability index Siddiqi
        (2006), Credit Risk Scorecards. For unchanged independent rows it is about chi-square with bins - 1 degrees of
        freedom, times (1/rows + 1/reference rows): Yurdakul and Naranjo (2020), Journal of Risk Model Validation 14(4).
    """
    is_seen = (reference + windows) > 0
    expected = np.where(is_seen, reference + 0.5, 0.0)
    expected /= expected.sum(axis=-1, keepdims=True)
    actual = (windows + expected) / (windows.sum(axis=-1, keepdims=True) + 1.0)
    # Unseen bins get the ratio one, whose logarithm is nothing.
    ratio = np.divide(actual, expected, out=np.ones_like(actual), where=is_seen)
    index: NDArray[np.float64] = ((actual - expected) * np.log(ratio)).sum(axis=-1)
    return index


def jensen_shannon_distance(reference: Counts, windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The square root of the Jensen-Shannon divergence in bits, from 0 (equal) to 1 (nothing in common).

    Args:
        reference: Counts [bins], at least one row.
        windows: Counts [..., bins], at least one row each.

    Returns:
        One distance for each window, float64 [...].

    Source: Lin (1991), IEEE Transactions on Information Theory 37:145; that the root is a metric, Endres and Schindelin
        (2003), same journal 49:1858.
    """
    expected = reference / reference.sum()
    actual = windows / windows.sum(axis=-1, keepdims=True)
    middle = (expected + actual) / 2.0
    divergence = (_bits(expected, middle) + _bits(actual, middle)) / 2.0
    # Rounding can leave a divergence of equal histograms a hair below zero.
    return np.sqrt(np.maximum(divergence, 0.0))


def _bits(shares: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of shares [bins or ..., bins] from middle [..., bins], base 2."""
    shares = np.broadcast_to(shares, middle.shape)
    ratio = np.divide(shares, middle, out=np.ones_like(middle), where=shares > 0.0)
    divergence: NDArray[np.float64] = (shares * np.log2(ratio)).sum(axis=-1)
    return divergence
