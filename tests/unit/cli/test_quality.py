from datetime import UTC, datetime

import pytest

from mlp.cli.output import Output
from mlp.cli.quality import print_drift, print_quality, window_name
from mlp.client.reports import Drift, DriftReference, DriftWindow, FeatureDrift, Quality, QualityWindow

MARCH, APRIL, MAY = (datetime(2013, month, 1, tzinfo=UTC) for month in (3, 4, 5))
OUTPUT = Output(is_json=False)


def quality_window(start: datetime, end: datetime, auc: float | None, *, is_mature: bool) -> QualityWindow:
    scores = {"base_rate": 0.2, "brier": 0.1, "log_loss": 0.4, "accuracy": 0.8, "auc": auc}
    return QualityWindow(start, end, 27_000, 26_500, 0.9815, is_mature, 60.0, scores, {"auc": (0.69, 0.71)})


def quality_of(*windows: QualityWindow, task: str = "classification") -> Quality:
    return Quality("flights", task, "month", MAY, 86_400, list(windows))


def feature(name: str, distance: float | None, *, is_drifted: bool = False) -> FeatureDrift:
    return FeatureDrift(name, distance, "psi", 0.2, 0.01, is_drifted)


def drift_of(*windows: DriftWindow, reference: DriftReference | None) -> Drift:
    return Drift("flights", "1", reference, "month", list(windows))


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_quality_shows_coverage_and_interval_by_window(capsys: pytest.CaptureFixture[str]) -> None:
    print_quality(OUTPUT, quality_of(quality_window(MARCH, APRIL, 0.7, is_mature=True)))

    header, march = lines_of(capsys)
    assert header.split() == ["WINDOW", "PREDICTIONS", "COVERAGE", "AUC", "95%", "INTERVAL", "ACCURACY", "LOG", "LOSS"]
    assert march.split() == ["2013-03", "27,000", "98.2%", "0.7000", "0.690", "-", "0.710", "0.8000", "0.4000"]


def test_quality_marks_windows_whose_labels_may_still_come(capsys: pytest.CaptureFixture[str]) -> None:
    print_quality(
        OUTPUT,
        quality_of(quality_window(MARCH, APRIL, 0.7, is_mature=True), quality_window(APRIL, MAY, 0.6, is_mature=False)),
    )

    _header, march, april, footnote = lines_of(capsys)
    assert march.startswith("2013-03 ")
    assert april.startswith("2013-04+")
    assert footnote == "+ labels may still come: they count as complete after 1 d"


def test_quality_without_labels_says_how_to_send_them(capsys: pytest.CaptureFixture[str]) -> None:
    window = QualityWindow(MARCH, APRIL, 10, 0, 0.0, True, None, {"auc": None}, {})

    print_quality(OUTPUT, quality_of(window))

    lines = lines_of(capsys)
    assert lines[1].split() == ["2013-03", "10", "0.0%"]
    assert "mlp feedback" in lines[2]


def test_quality_of_a_regression_shows_its_errors(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"r2": 0.5, "bias": 0.0, "rmse": 2.0, "mae": 1.5}
    window = QualityWindow(MARCH, APRIL, 10, 10, 1.0, True, 60.0, dict(scores), {"mae": None})

    print_quality(OUTPUT, quality_of(window, task="regression"))

    header, march = lines_of(capsys)
    assert header.split()[3:] == ["MAE", "95%", "INTERVAL", "RMSE", "R2"]
    assert march.split()[3:] == ["1.5000", "-", "2.0000", "0.5000"]


def test_drift_shows_what_drifted_and_the_strongest_features(capsys: pytest.CaptureFixture[str]) -> None:
    march = DriftWindow(
        MARCH, APRIL, 27_000, ("temp",), 0.5, [feature("temp", 0.5, is_drifted=True), feature("wind", 0.1)]
    )
    april = DriftWindow(APRIL, MAY, 28_000, (), 0.0, [feature("wind", 0.19), feature("temp", None)])

    print_drift(OUTPUT, drift_of(march, april, reference=DriftReference(51_955, "reference.csv")), 10)

    lines = [line.split() for line in lines_of(capsys)]
    assert lines[0] == ["flights", "version", "1", "against", "51,955", "rows", "of", "reference.csv"]
    assert lines[3] == ["2013-03", "27,000", "1", "of", "2", "temp"]
    assert lines[4] == ["2013-04", "28,000", "0", "of", "2", "-"]
    assert lines[6] == ["FEATURE", "MEASURE", "THRESHOLD", "2013-03", "2013-04"]
    assert lines[7] == ["temp", "psi", "0.20", "0.500*", "-"]
    assert lines[8] == ["wind", "psi", "0.20", "0.100", "0.190"]


def test_drift_shows_as_many_features_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    window = DriftWindow(MARCH, APRIL, 10, (), 0.0, [feature(f"x{index}", index / 100) for index in range(20)])

    print_drift(OUTPUT, drift_of(window, reference=DriftReference(10, "reference.csv")), 2)

    table = lines_of(capsys)[5:]
    assert [line.split()[0] for line in table[1:-1]] == ["x19", "x18"]


def test_drift_without_reference_says_how_to_register_one(capsys: pytest.CaptureFixture[str]) -> None:
    print_drift(OUTPUT, drift_of(reference=None), 10)

    assert "mlp models add flights PATH --reference FILE" in lines_of(capsys)[1]


def test_window_of_a_week_is_named_by_its_first_day() -> None:
    assert window_name(MARCH, "month") == "2013-03"
    assert window_name(MARCH, "week") == window_name(MARCH, "day") == "2013-03-01"
