"""How sure a ratio of two medians is, from a handful of rounds of each side."""

import random
import statistics
from collections.abc import Sequence

_RESAMPLES = 10_000


def ratio_interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """The ratio of the medians with a 95 % interval: (ratio, low, high).

    Source: the percentile bootstrap of B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter
    13; the rounds of the two sides are drawn independently of each other, from a fixed seed.
    """
    chance = random.Random(4)
    ratios = sorted(
        statistics.median(chance.choices(ours, k=len(ours))) / statistics.median(chance.choices(theirs, k=len(theirs)))
        for _ in range(_RESAMPLES)
    )
    ratio = statistics.median(ours) / statistics.median(theirs)
    return ratio, ratios[int(0.025 * _RESAMPLES)], ratios[int(0.975 * _RESAMPLES) - 1]
