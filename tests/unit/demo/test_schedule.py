"""The table of flights: what the model may see, labels, times and keys, checked on all flights of 2013."""

import pandas as pd
import pytest

from mlp.demo.schedule import FEATURES, is_training


def test_schedule_holds_every_flight_once_in_the_order_of_departure(real_schedule: pd.DataFrame) -> None:
    assert len(real_schedule) == 336_776
    assert real_schedule["key"].is_unique
    assert real_schedule["scheduled_departure"].is_monotonic_increasing


def test_schedule_shows_the_model_nothing_known_later() -> None:
    known_later = {"arrival", "is_late", "dep_delay", "dep_time", "air_time", "arr_time", "arr_delay", "tailnum"}

    assert known_later.isdisjoint(FEATURES)


def test_schedule_labels_landed_flights_alone(real_schedule: pd.DataFrame) -> None:
    has_landed = real_schedule["arrival"].notna()

    assert has_landed.sum() == 327_346
    assert not real_schedule["is_late"][~has_landed].any()


def test_schedule_arrivals_are_possible(real_schedule: pd.DataFrame) -> None:
    on_the_way = (real_schedule["arrival"] - real_schedule["scheduled_departure"]).dropna()

    # Some leave a few minutes before their time; the longest delay was 22 hours.
    assert on_the_way.min() == pd.Timedelta(minutes=18)
    assert on_the_way.max() < pd.Timedelta(hours=33)


def test_schedule_row_has_the_values_of_the_files(real_schedule: pd.DataFrame) -> None:
    row = real_schedule[real_schedule["key"] == "UA1545-EWR-20130101-0515"].iloc[0]

    assert row["scheduled_departure"] == pd.Timestamp("2013-01-01T10:15Z")
    assert row["arrival"] == pd.Timestamp("2013-01-01T14:30Z")
    assert not row["is_late"]
    assert (row["carrier"], row["origin"], row["destination"], row["distance_miles"]) == ("UA", "EWR", "IAH", 1400)
    assert (row["minute_of_day"], row["day_of_week"]) == (315, 2)
    assert row["temperature_f"] == pytest.approx(39.02)


def test_is_training_takes_january_and_february(real_schedule: pd.DataFrame) -> None:
    days = real_schedule["day"][is_training(real_schedule)]

    assert (days.min(), days.max()) == (pd.Timestamp("2013-01-01"), pd.Timestamp("2013-02-28"))
    assert len(days) == 27_004 + 24_951
