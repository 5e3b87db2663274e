"""Each of the eight containers is stopped and started again under traffic: what the tutorial `break it` promises."""

import csv
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import until
from tests.stack.compose import SERVICES, Compose
from tests.stack.traffic import Outcomes, Traffic

pytestmark = pytest.mark.timeout(900)
#: How long a container stays stopped: several of everybody's time-outs.
_AWAY_SECONDS = 8.0
#: Without these there is no way to the API, or no API.
_NEEDED = {"api", "traefik"}
_rows: list["_Row"] = []


@dataclass(frozen=True)
class _Row:
    service: str
    predictions: Outcomes
    jobs: Outcomes
    healed_seconds: float


@pytest.mark.parametrize("service", SERVICES)
def test_a_stopped_container_loses_nothing_that_was_accepted(service: str, compose: Compose) -> None:
    with Traffic() as traffic:
        compose("stop", service)
        until_away_is_over(_AWAY_SECONDS)
        began = time.monotonic()
        compose("start", service)
        compose.wait_well(service)
        until_it_answers(traffic)
        healed_seconds = time.monotonic() - began
    _rows.append(_Row(service, traffic.predictions, traffic.jobs, healed_seconds))
    print(f"\n{service}: {traffic.predictions.failed} of {traffic.predictions.sent} predictions failed, ", end="")
    print(f"{traffic.jobs.failed} of {traffic.jobs.sent} jobs refused, healed after {healed_seconds:.1f} s")

    compose.wait_well(*SERVICES)
    assert traffic.predictions.failures == 0 or service in _NEEDED
    compose.wait_jobs_succeeded(traffic.jobs.ids)
    _check_recorded(compose, traffic.predictions.ids)


def test_the_table_of_failures_is_written(results_folder: Path | None) -> None:
    assert {row.service for row in _rows} == set(SERVICES)
    if results_folder is None:
        return
    with (results_folder / "break-it-results.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        header = ["container", "predictions sent", "predictions failed", "jobs sent", "jobs not accepted"]
        writer.writerow([*header, "slowest prediction, s", "healed after, s"])
        for row in _rows:
            counts = [row.predictions.sent, row.predictions.failures, row.jobs.sent, row.jobs.failures]
            writer.writerow(
                [row.service, *counts, f"{row.predictions.slowest_seconds:.2f}", f"{row.healed_seconds:.1f}"]
            )


def until_away_is_over(seconds: float) -> None:
    """Return after that long: the outage is what is measured."""
    deadline = time.monotonic() + seconds
    until(lambda: time.monotonic() >= deadline, seconds + 5)


def until_it_answers(traffic: Traffic) -> None:
    """Return when both kinds of requests are answered again."""
    for outcomes in (traffic.predictions, traffic.jobs):
        before = len(outcomes.ids)
        until(lambda outcomes=outcomes, before=before: len(outcomes.ids) > before + 20, 60)  # type: ignore[misc]


def _check_recorded(compose: Compose, ids: list[str]) -> None:
    listed = ",".join(f"'{each}'" for each in ids)
    count = f"SELECT count(DISTINCT id) FROM inferences WHERE id IN ({listed})"
    until(lambda: compose.query(count) == [[str(len(ids))]], 90, lambda: f"{compose.query(count)} of {len(ids)}")
