"""Drift of each feature: how far a window's histogram is from the reference, and whether that is out of the ordinary.

A feature is flagged only if the window has at least 200 rows, the distance reaches the threshold, and the adjusted
p-value is below 0.01. The distance says that the change is large, the p-value that it is not chance. Both know how far
the feature wanders inside the reference itself: rows that follow one another resemble one another, and each week of an
unchanged winter has weather of its own.

The rule was chosen by measurement, against two others: A, constant thresholds and rows taken as independent; B, the
larger of the constant and of the mean plus three standard deviations over ten chunks, whatever the window's length.

Flights from New York in January and February 2013 as the reference (51,955 rows, 13 features with the weather of the
hour). Flags inside the reference, where each is a false one, of all features and windows:

    rule    months    weeks     days    days, with the whole year as the reference
    A         0/26   40/117  457/767    2788/4745
    B         0/26    2/117  243/767    2080/4745
    this      0/26    0/117    3/767      61/4745

Simulated hourly series that do not change, with a memory of 1, 3 and 8 days: 60 days of reference, then a window that
is unchanged (false flags) or shifted by two standard deviations (found), in percent of 200 repetitions each:

    rule    30 days, false    found            7 days, false    found
    A       39, 80, 97        100, 100, 100    84, 99, 100      100, 100, 100
    B        0,  0,  5         92,  62,  54     5,  9,  14       94,  68,  66
    this     5,  6, 13        100,  95,  81     1,  5,   7       90,  53,  52

Source: a threshold from chunks of the reference is NannyML's (documentation of version 0.13, "Thresholds": mean plus
three standard deviations); overlapping blocks for dependent rows are Kuensch's (1989), Annals of Statistics 17:1217.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mlp.errors import BadInput
from mlp.monitoring.distances import jensen_shannon_distance, population_stability_index
from mlp.monitoring.histograms import CategoricalBins, Counts, FeatureReference, Reference
from mlp.monitoring.significance import adjust_p_values, homogeneity_p_value, merge_sparse

# Below about 200 rows the distances of unchanged data are large by chance: with 12 bins the index then averages 0.055.
WINDOW_ROWS_MIN = 200
SIGNIFICANCE_LEVEL = 0.01
# By custom an index below 0.1 is no change and one above 0.25 a large one (Yurdakul and Naranjo, 2020, Journal of Risk
# Model Validation 14(4)); 0.1 for the Jensen-Shannon distance is Evidently's default (documentation of version 0.7).
PSI_THRESHOLD = 0.2
JS_THRESHOLD = 0.1

# NannyML calls six chunks a reasonable minimum (documentation of version 0.6, "Chunking data"), so no block is longer
# than a sixth of the reference.
BLOCKS_MIN = 6
# Categories with fewer rows in the reference are compared as one; why and how many is measured in _comparable.
CATEGORY_ROWS_MIN = 10
_DEVIATIONS = 3.0


class Measure(StrEnum):
    """Which distance compares two histograms: PSI those of numbers, JS those of categories."""

    PSI = "psi"
    JS = "js"


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one feature of one window is from the reference.

    Attributes:
        feature: Its name.
        distance: At least 0; JS at most 1.
        measure: Which distance it is.
        threshold: The distance from which the feature may be flagged, for a window of this length.
        p_value: Adjusted for all features of the window, 0..1.
        is_drifted: Enough rows, distance at or above the threshold, p-value below 0.01.
        missing_ratio: Share of the window's rows without a value.
        unknown_ratio: Share outside the reference's range, or in no category with a bin of its own.
    """

    feature: str
    distance: float
    measure: Measure
    threshold: float
    p_value: float
    is_drifted: bool
    missing_ratio: float
    unknown_ratio: float


def check_drift(reference: Reference, window_counts: Mapping[str, Counts]) -> list[FeatureDrift]:
    """A report on every feature that both sides know and the window holds rows of, the most conspicuous first.

    They are ordered by distance / threshold, so that the two measures can be compared.

    Args:
        reference: Of the version that made the window's predictions.
        window_counts: By feature, counts [bins] in the bins of that reference.

    Raises:
        BadInput: Counts that do not fit the bins of the reference.
    """
    compared = {
        name: counts for name, counts in window_counts.items() if name in reference.features and counts.sum() > 0
    }
    for name, counts in compared.items():
        if counts.shape != reference.features[name].counts.shape:
            raise BadInput(
                f"feature '{name}': {len(counts)} counts for {reference.features[name].bins.size} bins of the reference"
            )
    ordinary = {name: ordinary_drift(reference.features[name], int(counts.sum())) for name, counts in compared.items()}
    p_values = [
        _p_value(reference.features[name], counts, ordinary[name].dispersion) for name, counts in compared.items()
    ]
    adjusted = adjust_p_values(np.array(p_values)).tolist()
    found = [
        _judge(name, reference.features[name], counts, ordinary[name].threshold, p_value)
        for (name, counts), p_value in zip(compared.items(), adjusted, strict=True)
    ]
    return sorted(found, key=lambda drift: (-drift.distance / drift.threshold, drift.feature))


def _p_value(feature: FeatureReference, counts: Counts, dispersion: float) -> float:
    return homogeneity_p_value(
        _comparable(feature, feature.counts), _comparable(feature, counts), dispersion=dispersion
    )


def _judge(name: str, feature: FeatureReference, counts: Counts, threshold: float, p_value: float) -> FeatureDrift:
    rows = int(counts.sum())
    measure = measure_of(feature)
    distance = float(_distance(measure, _comparable(feature, feature.counts), _comparable(feature, counts)))
    return FeatureDrift(
        feature=name,
        distance=distance,
        measure=measure,
        threshold=threshold,
        p_value=p_value,
        is_drifted=rows >= WINDOW_ROWS_MIN and distance >= threshold and p_value < SIGNIFICANCE_LEVEL,
        missing_ratio=int(counts[-1]) / rows,
        unknown_ratio=feature.bins.unknown_rows(counts) / rows,
    )


@dataclass(frozen=True, slots=True)
class OrdinaryDrift:
    """What the reference says of unchanged data in a window of some length.

    Attributes:
        threshold: The distance that unchanged data hardly ever reach, at least the constant of the measure.
        dispersion: How many times more the counts of a stretch of rows vary than those of independent rows, at least 1.
    """

    threshold: float
    dispersion: float


def ordinary_drift(feature: FeatureReference, window_rows: int) -> OrdinaryDrift:
    """How far windows of ``window_rows`` rows may be from the reference without anything having changed.

    Blocks of the reference about as long as the window, runs of neighbouring chunks or shorter stretches, are compared
    with the whole reference: these distances are what nature does by itself, and the threshold is their mean plus three
    standard deviations. A block has at most a sixth of the reference, since a few long ones would show no spread; what
    remains to a longer window is extrapolated. If stretches of one row's length varied independently with variance v, a
    window with the share w of the reference's rows, but from outside it, would have a squared deviation proportional to
    v (1/w + 1), and a block with the share b, being part of it, one proportional to v (1/b - 1). PSI is quadratic in
    the deviations and JS linear. The same blocks give the dispersion of the counts, for the p-value.

    A reference with fewer than six chunks (300 rows) gives the constants alone.
    """
    measure = measure_of(feature)
    constant = PSI_THRESHOLD if measure is Measure.PSI else JS_THRESHOLD
    if len(feature.chunk_counts) < BLOCKS_MIN:
        return OrdinaryDrift(constant, 1.0)
    lengths_rows = _block_lengths_rows(feature)
    fitting = next((place for place, rows in enumerate(lengths_rows) if rows <= window_rows), len(lengths_rows) - 1)
    block_rows, wandering, dispersion = _spread(feature, fitting)
    # A window up to twice as long as its blocks is judged as if it were no longer: less would be expected of it only if
    # neighbouring rows were independent, and they are not.
    judged_rows = window_rows if fitting == 0 or window_rows < block_rows else block_rows
    reference_rows = int(feature.counts.sum())
    extrapolation = (reference_rows / judged_rows + 1.0) / (reference_rows / block_rows - 1.0)
    if measure is Measure.JS:
        extrapolation = extrapolation**0.5
    return OrdinaryDrift(max(constant, wandering * extrapolation), dispersion)


def _block_lengths_rows(feature: FeatureReference) -> list[float]:
    """Rows of the blocks that there are, the longest first: runs of chunks, then stretches."""
    chunk_rows = float(feature.counts.sum()) / len(feature.chunk_counts)
    runs = [run * chunk_rows for run in range(len(feature.chunk_counts) // BLOCKS_MIN, 0, -1)]
    return runs + [float(stretches[0].sum()) for stretches in feature.stretch_counts]


# A question about a year asks for the same few lengths again and again.
@lru_cache(maxsize=1024)
def _spread(feature: FeatureReference, place: int) -> tuple[float, float, float]:
    """Mean rows, wandering and dispersion of the blocks at that place among the lengths.

    Wandering is the mean of their distances to the whole reference plus three standard deviations.
    """
    blocks = _blocks(feature, place)
    block_rows = float(blocks.sum(axis=1).mean())
    whole, blocks = _comparable(feature, feature.counts), _comparable(feature, blocks)
    distances = _distance(measure_of(feature), whole, blocks)
    return block_rows, float(distances.mean() + _DEVIATIONS * distances.std()), _dispersion(whole, blocks)


def _blocks(feature: FeatureReference, place: int) -> NDArray[np.int64]:
    """Counts [blocks, bins] of the blocks at that place among the lengths; runs of chunks overlap."""
    run = len(feature.chunk_counts) // BLOCKS_MIN - place
    if run < 1:
        return feature.stretch_counts[-run]
    running = np.cumsum(np.vstack([np.zeros_like(feature.chunk_counts[:1]), feature.chunk_counts]), axis=0)
    blocks: NDArray[np.int64] = running[run:] - running[:-run]
    return blocks


def _dispersion(whole: Counts, blocks: NDArray[np.int64]) -> float:
    """Pearson's statistic of the blocks over its expectation for independent rows, at least 1.

    Args:
        whole: Counts [bins] of the reference.
        blocks: Counts [blocks, bins], each block a part of the reference.
    """
    block_rows = blocks.sum(axis=1)
    # A block is part of what it is compared with, which takes its share off the variance (finite population).
    outside_share = 1.0 - block_rows.mean() / whole.sum()
    expected_min = whole / whole.sum() * block_rows.min()
    merged = merge_sparse(blocks.astype(np.float64), expected_min)
    shares = merge_sparse(whole[np.newaxis].astype(np.float64), expected_min)[0] / whole.sum()
    if len(shares) < 2:
        return 1.0
    expected = np.outer(block_rows, shares)
    statistics = ((merged - expected) ** 2 / expected).sum(axis=1)
    return max(1.0, float(statistics.mean()) / float((len(shares) - 1) * outside_share))


def measure_of(feature: FeatureReference) -> Measure:
    """JS for categories, which is bounded and needs no smoothing where a category is new; PSI for numbers."""
    return Measure.JS if isinstance(feature.bins, CategoricalBins) else Measure.PSI


def _distance(measure: Measure, reference: Counts, windows: NDArray[np.int64]) -> NDArray[np.float64]:
    if measure is Measure.JS:
        return jensen_shannon_distance(reference, windows)
    return population_stability_index(reference, windows)


def _comparable(feature: FeatureReference, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts [..., bins] in which the categories that the reference hardly knows count as "other".

    A category is in the reference because it happened to occur there, so one seen once or twice is rarer than it looks,
    and the values never seen are commoner than never: together they are nearly right. Of unchanged windows of 1,000
    rows of a feature with 80 categories, against a reference of 250 rows, 49 % were flagged without this, 10 % with
    categories below five rows counted as "other", and 4 % with those below ten.

    Source: Good (1953), Biometrika 40:237: the share of what is unseen is about that of what was seen once.
    """
    if not isinstance(feature.bins, CategoricalBins):
        return counts
    other = len(feature.bins.categories)
    is_rare = np.zeros(feature.bins.size, dtype=bool)
    is_rare[:other] = feature.counts[:other] < CATEGORY_ROWS_MIN
    folded = np.where(is_rare, 0, counts)
    folded[..., other] += counts[..., is_rare].sum(axis=-1)
    return folded
