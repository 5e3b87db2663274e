"""The report: its words follow from its numbers."""

from datetime import UTC, date, datetime

from mlp.demo.findings import Findings
from mlp.demo.options import Period
from mlp.demo.report import how_well, strongest_features, what_changed, what_happened, write_report
from tests.unit.demo.conftest import drift_of, drift_window, findings_of, quality_of, quality_window

DRIFT = drift_of(
    drift_window(3, temperature_f=0.3, wind_mph=0.1), drift_window(4, temperature_f=1.4, wind_mph=0.25, carrier=0.01)
)
APART = quality_of(quality_window(3, 0.705, (0.697, 0.713)), quality_window(4, 0.634, (0.626, 0.642)))


def findings(**changes: object) -> Findings:
    return findings_of(**{"quality": APART, "drift": DRIFT, **changes})  # type: ignore[arg-type]


def test_what_happened_counts_flights_labels_and_latency() -> None:
    words = what_happened(findings())

    assert "50,009 flights of January and February" in words
    assert "each of the 2,000 flights that were to leave from 1 March 2013 to 31 May 2013" in words
    assert "took 2.5 s, 800 requests a second with 32 at a time" in words
    assert "within 30 ms, 95 % within 39 ms" in words
    assert "60 were cancelled or diverted" in words
    assert "overtook" not in words


def test_what_happened_tells_of_labels_that_came_too_early() -> None:
    assert "1,234 labels overtook the record" in what_happened(findings(labels_parked=1234))


def test_how_well_names_best_and_worst_month_and_that_they_differ() -> None:
    words = how_well(findings())

    assert "highest in March with 0.705 (0.697 to 0.713) and lowest in April with 0.634 (0.626 to 0.642)" in words
    assert "more than chance" in words
    assert "Late were 23.0 % to 24.0 % of the flights, depending on the month." in words


def test_how_well_of_overlapping_intervals_leaves_it_open() -> None:
    quality = quality_of(quality_window(3, 0.66, (0.60, 0.72)), quality_window(4, 0.64, (0.58, 0.70)))

    assert "may be chance" in how_well(findings(quality=quality))


def test_how_well_of_one_window_compares_nothing() -> None:
    quality = quality_of(quality_window(3, 0.7, (0.69, 0.71)))

    assert how_well(findings(quality=quality)).endswith("It was 0.700 (0.690 to 0.710) in March.")


def test_how_well_of_flights_of_the_training_says_so() -> None:
    january = Period(date(2013, 1, 1), date(2013, 1, 31))

    assert "has learned from" in how_well(findings(period=january))
    assert "has learned from" not in how_well(findings())


def test_how_well_without_labels_says_so() -> None:
    assert "too few labels" in how_well(findings(quality=quality_of(quality_window(3, None))))


def test_what_changed_counts_windows_of_each_input_and_names_the_farthest() -> None:
    words = what_changed(findings())

    assert "`temperature_f` (2 of 2 months) and `wind_mph` (1 of 2 months)" in words
    assert "Farthest was `temperature_f` in April, at 1.40 where 0.20 is the threshold" in words


def test_what_changed_without_drift_says_that_nothing_moved() -> None:
    assert "No input has moved" in what_changed(findings(drift=drift_of(drift_window(3, wind_mph=0.1))))


def test_what_changed_without_windows_says_that_nothing_is_known() -> None:
    assert "Nothing is known" in what_changed(findings(drift=drift_of()))


def test_report_has_tables_with_a_row_for_each_month_and_input() -> None:
    text = write_report(findings())

    assert "| March |       1,000 |      970 |   97.0 % | 0.705 | 0.697 to 0.713 | 23.0 % |     21.0 % |" in text
    assert "| `temperature_f`      |     PSI | **0.30 (0.20)** | **1.40 (0.20)** |" in text
    assert "| `carrier`            |     PSI |               - |     0.01 (0.20) |" in text
    assert "| beyond the threshold |         |          1 of 2 |          2 of 3 |" in text


def test_report_compares_with_what_was_computed_from_the_answers() -> None:
    recomputed = {datetime(2013, 3, 1, tzinfo=UTC): 0.7049, datetime(2013, 4, 1, tzinfo=UTC): 0.6342}

    assert "differs by at most 0.0002" in write_report(findings(recomputed=recomputed))


def test_report_says_how_many_flights_lie_outside_its_windows() -> None:
    assert "123 flights of the last evening" in write_report(findings(flights=2123))


def test_strongest_features_are_ordered_by_distance_in_thresholds() -> None:
    assert strongest_features(DRIFT.windows, 2) == ["temperature_f", "wind_mph"]
