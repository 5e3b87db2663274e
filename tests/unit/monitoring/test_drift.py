"""When a feature is flagged, and when it is not: enough rows, a large distance, and more than the reference's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlp.errors import BadInput
from mlp.monitoring.drift import FeatureDrift, check_drift, ordinary_drift
from mlp.monitoring.histograms import CategoricalColumn, Column, Counts, Reference, build_reference

DAY_ROWS = 240


def counts_of(reference: Reference, **columns: Column) -> dict[str, Counts]:
    return {name: reference.features[name].bins.count(column) for name, column in columns.items()}


def check_one(reference: Reference, column: Column) -> FeatureDrift:
    (found,) = check_drift(reference, counts_of(reference, x=column))
    return found


def wandering_series(random: np.random.Generator, days: int, memory_days: float) -> NDArray[np.float64]:
    """A stationary series of ten rows an hour, mean 0, deviation 1, whose hours resemble those before."""
    hours = days * 24
    decay = np.exp(-1.0 / (24.0 * memory_days))
    shocks = random.normal(size=hours) * (1.0 - decay**2) ** 0.5
    values = np.empty(hours)
    values[0] = random.normal()
    for hour in range(1, hours):
        values[hour] = decay * values[hour - 1] + shocks[hour]
    return np.repeat(values, DAY_ROWS // 24)


def categories(random: np.random.Generator, rows: int, names: int) -> CategoricalColumn:
    shares = 1.0 / np.arange(1, names + 1)
    return [f"c{number}" for number in random.choice(names, rows, p=shares / shares.sum())]


def test_check_drift_of_the_reference_itself_finds_nothing() -> None:
    column = np.random.default_rng(0).normal(size=5000)

    found = check_one(build_reference({"x": column}), column)

    assert found.distance == pytest.approx(0.0, abs=1e-6)
    assert found.p_value == 1.0
    assert not found.is_drifted


def test_check_drift_of_a_shifted_number_is_flagged_by_the_stability_index() -> None:
    random = np.random.default_rng(0)
    reference = build_reference({"x": random.normal(size=5000)})

    found = check_one(reference, random.normal(loc=1.0, size=500))

    assert found.is_drifted
    assert found.measure.value == "psi"
    assert found.threshold == pytest.approx(0.2)
    assert found.p_value < 1e-10


def test_check_drift_of_shifted_categories_is_flagged_by_jensen_shannon() -> None:
    random = np.random.default_rng(0)
    reference = build_reference({"x": categories(random, 5000, 8)})

    found = check_one(reference, list(reversed(categories(random, 400, 3))) + ["new"] * 100)

    assert found.is_drifted
    assert found.measure.value == "js"
    assert found.unknown_ratio == pytest.approx(0.2)


def test_check_drift_of_fewer_than_200_rows_is_never_flagged() -> None:
    reference = build_reference({"x": np.random.default_rng(0).normal(size=5000)})

    below, enough = check_one(reference, np.full(199, 9.0)), check_one(reference, np.full(200, 9.0))

    assert below.distance > below.threshold
    assert not below.is_drifted
    assert enough.is_drifted


def test_check_drift_of_a_small_significant_change_is_not_flagged() -> None:
    random = np.random.default_rng(0)
    reference = build_reference({"x": random.normal(size=100_000)})

    found = check_one(reference, random.normal(loc=0.2, size=100_000))

    assert found.p_value < 1e-10
    assert not found.is_drifted


def test_check_drift_of_a_feature_gone_missing_is_flagged() -> None:
    column = np.random.default_rng(0).normal(size=5000)

    found = check_one(build_reference({"x": column}), np.where(np.arange(300) % 2 == 0, np.nan, column[:300]))

    assert found.is_drifted
    assert found.missing_ratio == pytest.approx(0.5)


def test_check_drift_of_values_beyond_the_reference_shows_their_share() -> None:
    column = np.linspace(0.0, 1.0, 1000)

    found = check_one(build_reference({"x": column}), np.where(np.arange(1000) < 100, 7.0, column))

    assert found.unknown_ratio == pytest.approx(0.1)


def test_check_drift_orders_by_distance_over_threshold() -> None:
    random = np.random.default_rng(0)
    reference = build_reference({name: random.normal(size=5000) for name in ("calm", "gone", "moved")})

    found = check_drift(
        reference,
        counts_of(
            reference, calm=random.normal(size=500), gone=np.full(500, np.nan), moved=random.normal(loc=1.0, size=500)
        ),
    )

    assert [drift.feature for drift in found] == ["gone", "moved", "calm"]
    assert [drift.is_drifted for drift in found] == [True, True, False]


def test_check_drift_adjusts_the_p_values_of_a_window() -> None:
    random = np.random.default_rng(0)
    reference = build_reference({f"f{number}": random.normal(size=5000) for number in range(20)})
    window = {name: random.normal(size=500) for name in reference.features}

    together = check_drift(reference, counts_of(reference, **window))
    alone = [check_drift(reference, counts_of(reference, **{name: column}))[0] for name, column in window.items()]

    assert min(drift.p_value for drift in together) > min(drift.p_value for drift in alone)


def test_check_drift_passes_over_features_that_one_side_does_not_have() -> None:
    reference = build_reference({"x": np.arange(1000.0), "only_reference": np.arange(1000.0)})

    found = check_drift(reference, {**counts_of(reference, x=np.arange(300.0)), "only_window": np.array([300, 0])})

    assert [drift.feature for drift in found] == ["x"]


def test_check_drift_of_an_empty_window_is_empty() -> None:
    reference = build_reference({"x": np.arange(1000.0)})

    assert check_drift(reference, {}) == []
    assert check_drift(reference, counts_of(reference, x=np.empty(0))) == []


def test_check_drift_of_counts_in_other_bins_is_refused() -> None:
    reference = build_reference({"x": np.arange(1000.0)})

    with pytest.raises(BadInput, match="feature 'x': 2 counts for 13 bins"):
        check_drift(reference, {"x": np.array([100, 200])})


@settings(max_examples=50, deadline=None)
@given(
    reference=st.lists(st.none() | st.sampled_from("abcdefgh"), min_size=1, max_size=900),
    window=st.lists(st.none() | st.sampled_from("efghijkl"), min_size=1, max_size=900),
)
def test_check_drift_of_any_categories_gives_numbers_in_their_range(
    reference: list[str | None], window: list[str | None]
) -> None:
    found = check_one(build_reference({"x": reference}), window)

    assert 0.0 <= found.distance <= 1.0
    assert 0.0 <= found.p_value <= 1.0
    assert found.threshold >= 0.1
    assert 0.0 <= found.missing_ratio + found.unknown_ratio <= 1.0


@settings(max_examples=50, deadline=None)
@given(
    reference=st.lists(st.floats() | st.integers(0, 3).map(float), min_size=1, max_size=900),
    window=st.lists(st.floats() | st.integers(0, 3).map(float), min_size=1, max_size=300),
)
def test_check_drift_of_any_numbers_gives_numbers_in_their_range(reference: list[float], window: list[float]) -> None:
    found = check_one(build_reference({"x": np.array(reference)}), np.array(window))

    assert 0.0 <= found.distance < np.inf
    assert 0.0 <= found.p_value <= 1.0
    assert 0.2 <= found.threshold < np.inf


@pytest.mark.parametrize("window_days", [1, 7, 30])
def test_check_drift_of_an_unchanged_series_with_a_memory_is_hardly_ever_flagged(window_days: int) -> None:
    random = np.random.default_rng(20130101)
    flagged = 0
    for _ in range(40):
        series = wandering_series(random, 60 + 5 + window_days, memory_days=1.0)
        reference = build_reference({"x": series[: 60 * DAY_ROWS]})
        flagged += check_one(reference, series[-window_days * DAY_ROWS :]).is_drifted

    # Measured over 200 repetitions: at most 5 %. A constant threshold of 0.2 flags 39 % of months and 99 % of days.
    assert flagged <= 4


def test_check_drift_of_a_shifted_series_with_a_memory_is_flagged() -> None:
    random = np.random.default_rng(20130101)
    flagged = 0
    for _ in range(20):
        series = wandering_series(random, 60 + 5 + 30, memory_days=1.0)
        reference = build_reference({"x": series[: 60 * DAY_ROWS]})
        flagged += check_one(reference, series[-30 * DAY_ROWS :] + 2.0).is_drifted

    assert flagged == 20


def test_check_drift_of_one_weekday_against_a_long_reference_is_not_flagged() -> None:
    weekdays = np.repeat(np.arange(364) % 7, DAY_ROWS).astype(np.float64)

    found = check_one(build_reference({"x": weekdays}), np.zeros(DAY_ROWS))

    assert found.distance > 1.0
    assert not found.is_drifted


@pytest.mark.parametrize("reference_rows", [100, 250, 1000])
def test_check_drift_of_many_unchanged_categories_is_hardly_ever_flagged(reference_rows: int) -> None:
    random = np.random.default_rng(5)
    flagged = sum(
        check_one(
            build_reference({"x": categories(random, reference_rows, 80)}), categories(random, 1000, 80)
        ).is_drifted
        for _ in range(50)
    )

    # Without folding rare categories it is half of them for 250 rows.
    assert flagged <= 5


def test_ordinary_drift_of_a_short_reference_is_the_constant() -> None:
    feature = build_reference({"x": np.arange(299.0)}).features["x"]

    ordinary = ordinary_drift(feature, 1000)

    assert (ordinary.threshold, ordinary.dispersion) == (0.2, 1.0)


def test_ordinary_drift_of_independent_rows_is_the_constant_without_dispersion() -> None:
    feature = build_reference({"x": np.random.default_rng(0).normal(size=20_000)}).features["x"]

    ordinary = ordinary_drift(feature, 5000)

    assert ordinary.threshold == pytest.approx(0.2)
    assert ordinary.dispersion == pytest.approx(1.0, abs=0.3)


def test_ordinary_drift_of_a_series_with_a_memory_falls_with_the_window() -> None:
    series = wandering_series(np.random.default_rng(0), 60, memory_days=1.0)
    feature = build_reference({"x": series}).features["x"]

    thresholds = [ordinary_drift(feature, days * DAY_ROWS).threshold for days in (1, 3, 7, 30)]

    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > 2.0 * thresholds[-1]
    assert ordinary_drift(feature, 7 * DAY_ROWS).dispersion > 20.0
