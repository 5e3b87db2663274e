"""Calendar windows in UTC: days, weeks that begin on Monday, months. All of them half open, [start, end)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from mlp.errors import BadInput

# Longest spans that are still shown by day and by week. They keep a table between 3 and 16 windows for spans up to a
# year: two weeks give at most 15 days, two months at most 10 weeks, and a quarter (three months) is shown by month.
DAYS_SHOWN_BY_DAY = 14
DAYS_SHOWN_BY_WEEK = 62


class WindowLength(StrEnum):
    """How long a window is; the value is what ``?by=`` and ``--by`` take."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Window:
    """The moments from ``start`` (included) to ``end`` (excluded), both aware and in UTC."""

    start: datetime
    end: datetime


def window_of(moment: datetime, by: WindowLength) -> Window:
    """The calendar window that holds an aware moment.

    Weeks begin on Monday, 00:00 UTC, as ISO 8601 counts them.

    Raises:
        BadInput: The moment has no time zone.
    """
    day = _in_utc(moment).replace(hour=0, minute=0, second=0, microsecond=0)
    if by is WindowLength.DAY:
        start = day
    elif by is WindowLength.WEEK:
        start = day - timedelta(days=day.weekday())
    else:
        start = day.replace(day=1)
    return Window(start, _next_start(start, by))


def window_starts(since: datetime, until: datetime, by: WindowLength) -> list[datetime]:
    """The starts of all windows that share a moment with [since, until), oldest first.

    The first window may begin before ``since`` and the last may end after ``until``; there is none if ``until`` is not
    later than ``since``.

    Raises:
        BadInput: A moment has no time zone.
    """
    end = _in_utc(until)
    if end <= _in_utc(since):
        return []
    starts = []
    start = window_of(since, by).start
    while start < end:
        starts.append(start)
        start = _next_start(start, by)
    return starts


def choose_by(span: timedelta) -> WindowLength:
    """The window length that suits a table of that span, for when the user named none.

    Up to 14 days by day, up to 62 days (any two calendar months) by week, beyond that by month.
    """
    if span <= timedelta(days=DAYS_SHOWN_BY_DAY):
        return WindowLength.DAY
    if span <= timedelta(days=DAYS_SHOWN_BY_WEEK):
        return WindowLength.WEEK
    return WindowLength.MONTH


def _next_start(start: datetime, by: WindowLength) -> datetime:
    if by is WindowLength.DAY:
        return start + timedelta(days=1)
    if by is WindowLength.WEEK:
        return start + timedelta(days=7)
    # Day 1 plus 32 days lies in the next month, whichever month it is.
    return (start + timedelta(days=32)).replace(day=1)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise BadInput(f"the time {moment.isoformat()} has no time zone: give it one, such as 2026-03-01T12:00:00Z")
    return moment.astimezone(UTC)
