"""How the demo writes numbers, times and names of windows, in the live table, the report and its picture alike.

ASCII only, since a pipe on Windows may carry no more.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from mlp.demo.schedule import NEW_YORK

#: Stands where there is no number.
NOTHING = "-"


def count(number: int) -> str:
    """A whole number such as 85,960."""
    return f"{number:,}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 such as 96.8 %; a dash for None."""
    return NOTHING if share is None else f"{100 * share:.{digits}f} %"


def score(value: float | None) -> str:
    """A score such as 0.705; a dash for None."""
    return NOTHING if value is None else f"{value:.3f}"


def interval(bounds: tuple[float | None, float | None] | None) -> str:
    """A confidence interval such as 0.698 to 0.712; a dash where there is none."""
    if bounds is None or bounds[0] is None or bounds[1] is None:
        return NOTHING
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def milliseconds(seconds: float | None) -> str:
    """A duration such as 24 ms, or 3.1 ms below ten; a dash for None."""
    if seconds is None:
        return NOTHING
    value = 1000 * seconds
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def duration(seconds: float) -> str:
    """A duration such as 71 s, or 4 min 5 s above two minutes."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else _minutes(seconds)


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s"


def day(moment: date) -> str:
    """A day such as 1 March 2013."""
    return f"{moment.day} {moment:%B %Y}"


def window_name(start: datetime, by: str) -> str:
    """The name of a window: March, or 4 March for a day."""
    return f"{start:%B}" if by == "month" else f"{start.day} {start:%B}"


def during(start: datetime, by: str) -> str:
    """The window in a sentence: in March, or on 4 March."""
    return f"{'in' if by == 'month' else 'on'} {window_name(start, by)}"


def new_york_time(moment: datetime) -> str:
    """A moment on New York's clock, such as 14 April 09:35."""
    local = moment.astimezone(ZoneInfo(NEW_YORK))
    return f"{local.day} {local:%B %H:%M}"


def listed(names: list[str]) -> str:
    """Names in a sentence: one, two and three."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else "none"
