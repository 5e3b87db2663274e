"""Calendar windows: where they begin and end, whatever the time zone of the question."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import BadInput
from mlp.monitoring.windows import Window, WindowLength, choose_by, window_of, window_starts

MOMENTS = st.integers(0, 100 * 365 * 86_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
LENGTHS = st.sampled_from(WindowLength)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("by", "start", "end"),
    [
        (WindowLength.DAY, utc(2013, 3, 3), utc(2013, 3, 4)),
        (WindowLength.WEEK, utc(2013, 2, 25), utc(2013, 3, 4)),
        (WindowLength.MONTH, utc(2013, 3, 1), utc(2013, 4, 1)),
    ],
)
def test_window_of_sunday_evening_ends_with_the_sunday(by: WindowLength, start: datetime, end: datetime) -> None:
    window = window_of(utc(2013, 3, 3, 23, 59), by)

    assert window == Window(start, end)


def test_window_of_december_ends_with_the_year() -> None:
    assert window_of(utc(2013, 12, 31), WindowLength.MONTH) == Window(utc(2013, 12, 1), utc(2014, 1, 1))


def test_window_of_another_time_zone_is_that_of_the_moment_in_utc() -> None:
    new_york = timezone(timedelta(hours=-5))

    window = window_of(datetime(2013, 1, 31, 20, 0, tzinfo=new_york), WindowLength.MONTH)

    assert window.start == utc(2013, 2, 1)


def test_window_of_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="no time zone"):
        window_of(datetime(2013, 1, 1), WindowLength.DAY)  # noqa: DTZ001


@given(moment=MOMENTS, by=LENGTHS)
def test_window_of_any_moment_holds_it_and_is_that_of_its_start(moment: datetime, by: WindowLength) -> None:
    window = window_of(moment, by)

    assert window.start <= moment < window.end
    assert window_of(window.start, by) == window
    assert window_of(window.end, by).start == window.end


def test_window_starts_from_the_middle_include_the_window_that_began_before() -> None:
    starts = window_starts(utc(2013, 3, 15), utc(2013, 5, 1), WindowLength.MONTH)

    assert starts == [utc(2013, 3, 1), utc(2013, 4, 1)]


def test_window_starts_of_nothing_are_none() -> None:
    assert window_starts(utc(2013, 3, 15), utc(2013, 3, 15), WindowLength.DAY) == []
    assert window_starts(utc(2013, 3, 15), utc(2013, 3, 14), WindowLength.DAY) == []


@given(since=MOMENTS, days=st.integers(1, 400), by=LENGTHS)
def test_window_starts_follow_one_another_without_a_gap(since: datetime, days: int, by: WindowLength) -> None:
    starts = window_starts(since, since + timedelta(days=days), by)

    assert starts[0] <= since
    assert [window_of(start, by).end for start in starts[:-1]] == starts[1:]
    assert window_of(starts[-1], by).end >= since + timedelta(days=days)


@pytest.mark.parametrize(
    ("days", "by"),
    [(1, "day"), (14, "day"), (15, "week"), (62, "week"), (63, "month"), (92, "month"), (365, "month")],
)
def test_choose_by_of_a_span(days: int, by: str) -> None:
    assert choose_by(timedelta(days=days)).value == by
