"""The picture: a PNG for whatever the findings hold."""

from pathlib import Path

import pytest

from mlp.client import Drift, Quality
from mlp.demo.picture import draw_report
from tests.unit.demo.conftest import drift_of, drift_window, findings_of, quality_of, quality_window


@pytest.mark.parametrize(
    ("quality", "drift"),
    [
        (
            quality_of(quality_window(3, 0.705, (0.697, 0.713)), quality_window(4, 0.634)),
            drift_of(drift_window(3, temperature_f=1.3, wind_mph=0.1), drift_window(4, temperature_f=1.4)),
        ),
        (quality_of(quality_window(3, None)), drift_of()),
    ],
    ids=["full", "without labels and drift"],
)
def test_picture_is_written_as_png(tmp_path: Path, quality: Quality, drift: Drift) -> None:
    path = tmp_path / "report.png"

    draw_report(findings_of(quality, drift), path)

    assert path.read_bytes().startswith(b"\x89PNG\r\n")
