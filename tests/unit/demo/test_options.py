"""Which days the options of the demo mean."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from mlp.demo.options import FlightsDemoOptions, replayed_period
from mlp.errors import BadInput


@pytest.mark.parametrize(
    ("options", "first_day", "last_day"),
    [
        ({}, date(2013, 3, 1), date(2013, 5, 31)),
        ({"full": True}, date(2013, 3, 1), date(2013, 12, 31)),
        ({"january": True}, date(2013, 1, 1), date(2013, 1, 31)),
        ({"days": 1}, date(2013, 3, 1), date(2013, 3, 1)),
        ({"days": 8, "january": True}, date(2013, 1, 1), date(2013, 1, 8)),
        ({"until": date(2013, 3, 8)}, date(2013, 3, 1), date(2013, 3, 8)),
    ],
)
def test_period_follows_the_options(options: dict[str, Any], first_day: date, last_day: date) -> None:
    period = replayed_period(FlightsDemoOptions(**options))

    assert (period.first_day, period.last_day) == (first_day, last_day)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"full": True, "january": True}, "--full"),
        ({"days": 3, "until": date(2013, 3, 8)}, "--until and --days"),
        ({"days": 0}, "flights are those of 2013"),
        ({"days": 10**9}, "flights are those of 2013"),
        ({"until": date(2013, 2, 1)}, "from 2013-03-01 to 2013-02-01"),
        ({"until": date(2014, 1, 1)}, "flights are those of 2013"),
        ({"days_per_second": 0.0}, "--speed is 0"),
        ({"days_per_second": float("nan")}, "--speed is nan"),
        ({"requests_in_flight": 0}, "at least 1"),
    ],
)
def test_period_of_contradicting_options_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        replayed_period(FlightsDemoOptions(**options))


def test_period_lies_between_midnights_in_utc() -> None:
    period = replayed_period(FlightsDemoOptions())

    assert period.since == datetime(2013, 3, 1, tzinfo=UTC)
    assert period.until == datetime(2013, 6, 1, tzinfo=UTC)


def test_period_counts_both_its_ends() -> None:
    assert replayed_period(FlightsDemoOptions(days=7)).days == 7
