"""Frozen bins: every row is counted once, in the bin that its neighbours of the reference are in."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlp.errors import BadInput
from mlp.monitoring.histograms import (
    CATEGORIES_MAX,
    CategoricalBins,
    Column,
    NumericBins,
    Reference,
    bins_from_json,
    build_reference,
)

NUMBERS = st.lists(st.floats(width=32) | st.just(math.nan), max_size=80)
TEXTS = st.lists(st.none() | st.text(max_size=3), max_size=80)


def numbers(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def test_numeric_bins_of_many_values_hold_a_tenth_each() -> None:
    column = np.random.default_rng(7).normal(size=10_000)

    bins = NumericBins.of(column)

    assert bins.count(column).tolist() == [0, *[1000] * 10, 0, 0]


def test_numeric_bins_of_few_values_have_one_each() -> None:
    bins = NumericBins.of(numbers(1, 2, 2, 3, 7))

    assert bins.count(numbers(1, 1, 2, 3, 3, 3, 7)).tolist() == [0, 2, 1, 3, 1, 0, 0]


def test_numeric_bins_of_mostly_zeros_merge_the_equal_quantiles() -> None:
    column = np.concatenate([np.zeros(950), np.linspace(0.1, 5.0, 50)])

    bins = NumericBins.of(column)

    assert bins.count(column).tolist() == [0, 950, 50, 0, 0]


def test_numeric_count_puts_the_range_outside_and_the_missing_apart() -> None:
    bins = NumericBins.of(numbers(1, 2, 3))

    counts = bins.count(numbers(-math.inf, 0.5, 2, 3.5, math.inf, math.nan))

    assert counts.tolist() == [2, 0, 1, 0, 2, 1]
    assert bins.unknown_rows(counts) == 4


def test_numeric_bins_of_numbers_beyond_all_measure_stay_finite() -> None:
    bins = NumericBins.of(numbers(-1.7e308, 1, 2, 1.7e308))

    assert all(map(math.isfinite, bins.edges))
    assert bins.count(numbers(-1.7e308, 1, 2, 1.7e308)).tolist() == [1, 1, 1, 1, 0]


def test_numeric_bins_of_a_constant_tell_below_equal_and_above() -> None:
    bins = NumericBins.of(numbers(0, 0, 0))

    assert bins.count(numbers(-1, 0, 0, 1)).tolist() == [1, 2, 1, 0]


def test_numeric_bins_of_nothing_but_missing_values_count_any_value_as_unknown() -> None:
    bins = NumericBins.of(numbers(math.nan, math.nan))

    counts = bins.count(numbers(math.nan, 5, math.inf, -math.inf))

    assert counts.tolist() == [3, 1]
    assert bins.unknown_rows(counts) == 3


def test_numeric_bins_of_float32_values_count_the_float64_values_they_were_rounded_from() -> None:
    exact = np.round(np.random.default_rng(3).uniform(-50.0, 50.0, 5000), 1)
    rounded = exact.astype(np.float32).astype(np.float64)

    bins = NumericBins.of(rounded)

    assert bins.count(exact).tolist() == bins.count(rounded).tolist()
    assert bins.unknown_rows(bins.count(exact)) == 0


def test_numeric_bins_of_datetimes_compare_the_time_of_day() -> None:
    day_seconds = 86_400.0
    noon, midnight = 0.5 * day_seconds, 0.0

    bins = NumericBins.of(numbers(midnight, noon, noon), is_time_of_day=True)

    assert bins.count(numbers(400 * day_seconds, 400 * day_seconds + noon, math.nan)).tolist() == [0, 1, 1, 0, 1]


@given(reference=NUMBERS, column=NUMBERS)
def test_numeric_count_counts_every_row_once(reference: list[float], column: list[float]) -> None:
    bins = NumericBins.of(np.array(reference, dtype=np.float64))

    counts = bins.count(np.array(column, dtype=np.float64))

    assert counts.shape == (bins.size,)
    assert counts.dtype == np.int64
    assert counts.sum() == len(column)
    assert counts[-1] == sum(math.isnan(value) for value in column)


@given(reference=NUMBERS)
def test_numeric_bins_know_every_finite_value_of_their_reference(reference: list[float]) -> None:
    column = np.array(reference, dtype=np.float64)

    bins = NumericBins.of(column)

    assert list(bins.edges) == sorted(set(bins.edges))
    assert bins.unknown_rows(bins.count(column)) == np.isinf(column).sum()
    assert sum(bins.count(column)[1:-2] > 0) <= 10


@given(column=NUMBERS, parts=st.integers(1, 5))
def test_counts_of_batches_add_up(column: list[float], parts: int) -> None:
    values = np.array(column, dtype=np.float64)
    bins = NumericBins.of(values)

    added = sum(bins.count(part) for part in np.array_split(values, parts))

    assert np.array_equal(added, bins.count(values))


def test_categorical_bins_are_the_categories_by_frequency_then_name() -> None:
    bins = CategoricalBins.of(["UA", "DL", "AA", "UA", None, "DL", "B6"])

    assert bins.categories == ("DL", "UA", "AA", "B6")


def test_categorical_count_puts_new_and_missing_values_apart() -> None:
    bins = CategoricalBins.of(["UA", "DL", "UA"])

    counts = bins.count(["DL", "new", None, "UA", "newer"])

    assert counts.tolist() == [1, 1, 2, 1]
    assert bins.unknown_rows(counts) == 2


def test_categorical_bins_of_many_categories_keep_the_most_frequent() -> None:
    column = [f"c{number:03}" for number in range(60) for _ in range(60 - number)]

    bins = CategoricalBins.of(column)

    assert bins.categories == tuple(f"c{number:03}" for number in range(CATEGORIES_MAX))
    assert bins.unknown_rows(bins.count(column)) == sum(range(1, 11))


@given(reference=TEXTS, column=TEXTS)
def test_categorical_count_counts_every_row_once(reference: list[str | None], column: list[str | None]) -> None:
    bins = CategoricalBins.of(reference)

    counts = bins.count(column)

    assert counts.shape == (bins.size,)
    assert counts.sum() == len(column)
    assert counts[-1] == column.count(None)


@given(reference=NUMBERS, is_time_of_day=st.booleans())
def test_numeric_bins_through_json_are_equal(reference: list[float], is_time_of_day: bool) -> None:
    bins = NumericBins.of(np.array(reference, dtype=np.float64), is_time_of_day=is_time_of_day)

    assert bins_from_json(json.loads(json.dumps(bins.to_json(), allow_nan=False))) == bins


@given(reference=TEXTS)
def test_categorical_bins_through_json_are_equal(reference: list[str | None]) -> None:
    bins = CategoricalBins.of(reference)

    assert bins_from_json(json.loads(json.dumps(bins.to_json()))) == bins


def test_bins_of_an_unknown_kind_are_refused() -> None:
    with pytest.raises(BadInput, match='"sketch"'):
        bins_from_json({"kind": "sketch"})


@pytest.mark.parametrize(
    ("rows", "chunks", "stretch_rows"),
    [(1, 1, []), (99, 1, []), (300, 6, []), (1200, 24, []), (9_600, 24, [200]), (48_000, 24, [1000, 500, 250])],
)
def test_reference_is_cut_into_chunks_and_stretches(rows: int, chunks: int, stretch_rows: list[int]) -> None:
    column = np.arange(rows, dtype=np.float64)

    feature = build_reference({"x": column}).features["x"]

    assert feature.chunk_counts.shape == (chunks, feature.bins.size)
    assert np.ptp(feature.chunk_counts.sum(axis=1)) <= 1
    assert [counts.sum(axis=1).tolist() for counts in feature.stretch_counts] == [[size] * 24 for size in stretch_rows]
    assert feature.counts.tolist() == feature.bins.count(column).tolist()


def test_reference_through_json_is_equal() -> None:
    columns: dict[str, Column] = {
        "temp": np.random.default_rng(1).normal(size=20_000),
        "at": np.arange(0.0, 20_000 * 977.0, 977.0),
        "carrier": ["UA", None, "DL", "B6"] * 5000,
    }
    reference = build_reference(columns, datetimes=["at"])

    copy = Reference.from_json(json.loads(json.dumps(reference.to_json(), allow_nan=False)))

    assert copy.to_json() == reference.to_json()
    assert copy.rows == 20_000
    assert [copy.features[name].bins for name in columns] == [reference.features[name].bins for name in columns]
    assert isinstance(copy.features["at"].bins, NumericBins)
    assert copy.features["at"].bins.is_time_of_day


def test_reference_of_another_format_is_refused() -> None:
    document = build_reference({"x": np.ones(3)}).to_json()

    with pytest.raises(BadInput, match="format 99"):
        Reference.from_json({**document, "format": 99})


@pytest.mark.parametrize("columns", [{}, {"x": np.empty(0)}])
def test_reference_of_nothing_is_refused(columns: dict[str, Column]) -> None:
    with pytest.raises(BadInput, match="at least one"):
        build_reference(columns)


def test_reference_of_uneven_columns_is_refused() -> None:
    with pytest.raises(BadInput, match="different lengths"):
        build_reference({"x": np.ones(3), "y": ["a", "b"]})
