"""When each flight really arrived, as an instant: destination time zones, midnight and changes of the clock minded.

The data give arrivals as hours and minutes on the destination's wall clock, without a day. Departure, time in the air
and a usual time on the ground tell the instant to within hours; the wall clock then tells it to the minute.
"""

from typing import TYPE_CHECKING, Any

from mlp.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

# The airports' list of the data lacks these four.
_ISLAND_ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}
_DAY_MINUTES = 24 * 60
# Median of taxiing at both ends over the 327,346 flights of 2013 that landed; only the nearest day depends on it.
_GROUND_MINUTES = 28


def minutes_of_clock(clock: "pd.Series[Any]") -> "pd.Series[Any]":
    """Minutes since midnight of times written as 517 for 05:17; 2400 is midnight, 1440."""
    return clock // 100 * 60 + clock % 100


def arrival_instants(flights: "pd.DataFrame", airports: "pd.DataFrame") -> "pd.Series[pd.Timestamp]":
    """The instant at which each flight reached its gate, in UTC; NaT for flights cancelled or diverted.

    Over the whole of 2013 every result equals scheduled arrival plus arrival delay, which this does not use, and lies
    between 5 and 235 minutes after departure plus time in the air: no flight had to be left out or repaired.

    Args:
        flights: Columns ``departure`` (aware, the real one), ``air_time`` (minutes), ``arr_time`` (hours and minutes
            on the destination's clock as 517 for 05:17) and ``dest``; NaN in any of the first three: no arrival.
        airports: Columns ``faa`` and ``tzone``, an IANA time zone.

    Raises:
        BadInput: A destination whose time zone is not known.
    """
    import pandas as pd

    known_zones = dict(zip(airports["faa"], airports["tzone"], strict=True)) | _ISLAND_ZONES
    zones = flights["dest"].map(known_zones)
    if zones.isna().any():
        raise BadInput(f"no time zone is known for {flights['dest'][zones.isna()].iloc[0]}")
    expected = flights["departure"] + pd.to_timedelta(flights["air_time"] + _GROUND_MINUTES, unit="min")
    instants = expected.copy()
    for zone, group in expected.groupby(zones):
        wall = group.dt.tz_convert(str(zone))
        clock_minutes = minutes_of_clock(flights["arr_time"].loc[group.index])
        # The shortest way round the clock from the expected time to the one that was reported: at most half a day.
        half = _DAY_MINUTES // 2
        offset_minutes = (clock_minutes - wall.dt.hour * 60 - wall.dt.minute + half) % _DAY_MINUTES - half
        instants.loc[group.index] = group + pd.to_timedelta(offset_minutes, unit="min")
    return instants
