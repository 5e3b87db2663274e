"""Arrival instants: time zones, midnight, changes of the clock, and all flights of 2013."""

import pandas as pd
import pytest

from mlp.demo.arrivals import arrival_instants, minutes_of_clock
from mlp.errors import BadInput

AIRPORTS = pd.DataFrame(
    {"faa": ["IAH", "LAX", "PBI"], "tzone": ["America/Chicago", "America/Los_Angeles", "America/New_York"]}
)


def instant_of(departure: str, air_time: float, arr_time: float, dest: str) -> pd.Timestamp:
    flight = pd.DataFrame(
        {
            "departure": pd.to_datetime([departure], utc=True),
            "air_time": [air_time],
            "arr_time": [arr_time],
            "dest": [dest],
        }
    )
    return arrival_instants(flight, AIRPORTS).iloc[0]


@pytest.mark.parametrize(
    ("departure", "air_time", "arr_time", "dest", "arrival"),
    [
        # 05:17 in New York, 08:30 in Houston.
        ("2013-01-01T10:17Z", 227, 830, "IAH", "2013-01-01T14:30Z"),
        # Leaves in the evening, arrives after midnight in New York and before it in Los Angeles.
        ("2013-01-02T02:00Z", 345, 2359, "LAX", "2013-01-02T07:59Z"),
        # Arrives at midnight, which the data write as 2400.
        ("2013-01-02T02:00Z", 345, 2400, "LAX", "2013-01-02T08:00Z"),
        # An island that the list of airports lacks; it has no summer time.
        ("2013-07-01T12:00Z", 200, 1147, "SJU", "2013-07-01T15:47Z"),
        # 10 March 2013: clocks go from 02:00 to 03:00 while the flight is in the air.
        ("2013-03-10T04:06Z", 141, 203, "PBI", "2013-03-10T07:03Z"),
        # 3 November 2013: the hour from 01:00 comes twice in Los Angeles; this is the first.
        ("2013-11-03T02:17Z", 339, 114, "LAX", "2013-11-03T08:14Z"),
    ],
)
def test_arrival_is_the_instant_on_the_destinations_clock(
    departure: str, air_time: float, arr_time: float, dest: str, arrival: str
) -> None:
    assert instant_of(departure, air_time, arr_time, dest) == pd.Timestamp(arrival)


def test_arrival_of_a_diverted_flight_is_missing() -> None:
    assert pd.isna(instant_of("2013-01-01T10:17Z", float("nan"), 830, "IAH"))


def test_arrival_at_an_unknown_airport_is_refused() -> None:
    with pytest.raises(BadInput, match="no time zone is known for XXX"):
        instant_of("2013-01-01T10:17Z", 227, 830, "XXX")


def test_minutes_of_clock_reads_hours_and_minutes() -> None:
    assert minutes_of_clock(pd.Series([0, 5, 59, 517, 2400])).tolist() == [0, 5, 59, 317, 1440]
