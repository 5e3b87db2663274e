"""What the flight demo may be told, and which days that means. Imports nothing heavy: the command line reads it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from mlp.errors import BadInput

FIRST_DAY = date(2013, 1, 1)
LAST_DAY = date(2013, 12, 31)
TRAINING_ENDS = date(2013, 2, 28)
REPLAY_STARTS = date(2013, 3, 1)
REPLAY_ENDS = date(2013, 5, 31)


@dataclass(frozen=True, slots=True)
class FlightsDemoOptions:
    """What one run of the flight demo is told; the defaults are the run of March to May.

    Attributes:
        folder: The demo's own folder: the server's data, the report and the picture. An earlier demo's folder is
            emptied first; a folder that holds anything else is refused.
        port: Port of the server; None takes 4789, or a free one when 4789 is taken.
        days_per_second: Simulated days for each second of the replay; None goes as fast as the machine can.
        until: The last day replayed, in New York; None for the end of May, or of the year with ``full``.
        days: Number of days replayed from the first one, instead of ``until``.
        full: Replay March to December instead of March to May.
        january: Replay January, which the model has seen: what drift shows when nothing has changed.
        stay: Keep the server up after the report until Ctrl-C; None does so on a terminal.
        requests_in_flight: Predictions asked for at the same time; 64 is the number of connections that the client
            keeps, and enough to have a batch waiting whenever the model is free.
    """

    folder: Path = Path("mlp-demo")
    port: int | None = None
    days_per_second: float | None = None
    until: date | None = None
    days: int | None = None
    full: bool = False
    january: bool = False
    stay: bool | None = None
    requests_in_flight: int = 64


@dataclass(frozen=True, slots=True)
class Period:
    """The days replayed, first and last included, as New York counts them."""

    first_day: date
    last_day: date

    @property
    def days(self) -> int:
        """Number of days, at least 1."""
        return (self.last_day - self.first_day).days + 1

    @property
    def since(self) -> datetime:
        """Midnight in UTC at the beginning of the first day, where the monitor's windows begin."""
        return datetime(self.first_day.year, self.first_day.month, self.first_day.day, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """Midnight in UTC at the end of the last day; flights of its evening in New York leave after it."""
        return self.since + timedelta(days=self.days)


def replayed_period(options: FlightsDemoOptions) -> Period:
    """The days that these options replay.

    Raises:
        BadInput: Options that contradict each other, or days outside 2013.
    """
    if options.full and options.january:
        raise BadInput("--full replays March to December and --january replays January: give one of them")
    if options.until is not None and options.days is not None:
        raise BadInput("--until and --days both say where the replay ends: give one of them")
    if options.days_per_second is not None and not options.days_per_second > 0:
        raise BadInput(f"--speed is {options.days_per_second:g}, but must be more than 0 simulated days per second")
    if options.requests_in_flight < 1:
        raise BadInput(f"{options.requests_in_flight} requests in flight: at least 1 is needed")
    first_day = FIRST_DAY if options.january else REPLAY_STARTS
    last_day = _last_day(options, first_day)
    if not first_day <= last_day <= LAST_DAY:
        raise BadInput(f"the replay would run from {first_day} to {last_day}: the flights are those of 2013")
    return Period(first_day, last_day)


def _last_day(options: FlightsDemoOptions, first_day: date) -> date:
    if options.until is not None:
        return options.until
    if options.days is not None:
        return first_day + timedelta(days=min(options.days, 366) - 1)
    if options.january:
        return date(2013, 1, 31)
    return LAST_DAY if options.full else REPLAY_ENDS
