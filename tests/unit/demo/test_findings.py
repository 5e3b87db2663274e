"""Findings: what is computed again from the answers alone."""

from datetime import UTC, datetime

import numpy as np
import pytest

from mlp.client import Client
from mlp.demo.findings import Findings, auc_so_far, gather
from mlp.demo.options import FlightsDemoOptions, Period, replayed_period
from mlp.demo.replay import Replay
from tests.unit.demo.conftest import drift_of, flights_frame, moment, quality_of, quality_window

MARCH = datetime(2013, 3, 1, tzinfo=UTC)
# Scores 0.9, 0.8, 0.3, 0.2 for late, on time, late, on time: of the four pairs three are in the right order.
FLIGHTS = flights_frame(
    ("A", "2013-03-01T10:00:00Z", "2013-03-01T12:00:00Z", True),
    ("B", "2013-03-01T10:30:00Z", "2013-03-01T12:00:00Z", False),
    ("C", "2013-03-02T10:00:00Z", "2013-03-02T12:00:00Z", True),
    ("D", "2013-03-02T11:00:00Z", "2013-03-02T13:00:00Z", False),
    ("E", "2013-03-02T11:30:00Z", None, False),
)
SCORES = [0.9, 0.8, 0.3, 0.2, 0.99]


def findings_of_period(client: Client, period: Period) -> Findings:
    replay = Replay(client, FLIGHTS, days_per_second=None, requests_in_flight=1)
    finished = replay.run(lambda _progress: None)
    replay.scores[:] = SCORES
    return gather(
        period,
        FLIGHTS,
        replay,
        finished,
        trained_rows=7,
        requests_in_flight=1,
        quality=quality_of(quality_window(3, 0.7), quality_window(4, None)),
        drift=drift_of(),
    )


@pytest.fixture
def findings(client: Client) -> Findings:
    return findings_of_period(client, replayed_period(FlightsDemoOptions()))


def test_findings_compute_auc_again_up_to_the_end_of_the_period(client: Client) -> None:
    findings = findings_of_period(client, replayed_period(FlightsDemoOptions(days=1)))

    # Of the flights of the first day, A and B, the late one has the higher score.
    assert findings.recomputed == {MARCH: pytest.approx(1.0)}


def test_findings_compute_auc_again_without_flights_that_never_landed(findings: Findings) -> None:
    assert findings.recomputed == {MARCH: pytest.approx(0.75)}


@pytest.mark.parametrize(
    ("reached", "auc"), [("2013-03-01T12:00:00Z", 1.0), ("2013-03-03T00:00:00Z", 0.75), ("2013-03-01T11:59:00Z", None)]
)
def test_auc_so_far_takes_flights_that_have_arrived(reached: str, auc: float | None) -> None:
    assert auc_so_far(FLIGHTS, np.array(SCORES), moment(reached)) == auc


def test_auc_so_far_leaves_out_flights_without_an_answer() -> None:
    assert auc_so_far(FLIGHTS, np.full(5, np.nan), moment("2013-03-03T00:00:00Z")) is None


def test_findings_count_flights_and_their_days(findings: Findings) -> None:
    assert (findings.flights, findings.landed, findings.trained_rows) == (5, 4, 7)
    assert np.unique(findings.departure_days).astype(str).tolist() == ["2013-03-01", "2013-03-02"]


def test_findings_know_which_windows_have_a_score(findings: Findings) -> None:
    assert [window.start for window in findings.scored_windows] == [MARCH]
