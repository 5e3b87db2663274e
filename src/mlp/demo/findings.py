"""What a finished replay has shown, gathered for the report and its picture."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlp.client import Drift, Quality, QualityWindow
from mlp.demo.options import Period
from mlp.demo.schedule import LABEL

if TYPE_CHECKING:
    import pandas as pd

    from mlp.demo.replay import Progress, Replay


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the report says, as numbers.

    Attributes:
        trained_rows: Flights with a label that the model learned from.
        landed: Flights that got a label; the others were cancelled or diverted.
        labels_parked: Labels that overtook the record of their prediction.
        latency_seconds: float64 [flights], from question to answer, in the order of departure.
        departure_days: datetime64[D] [flights], the day in UTC on which each was scheduled to leave.
        recomputed: AUC by start of the window, from the answers alone, without the server's records.
    """

    period: Period
    trained_rows: int
    flights: int
    landed: int
    labels_parked: int
    replay_seconds: float
    requests_in_flight: int
    latency_seconds: NDArray[np.float64]
    departure_days: NDArray[np.datetime64]
    quality: Quality
    drift: Drift
    recomputed: dict[datetime, float]

    def latency_quantile(self, share: float) -> float:
        """Seconds within which that share of the requests, 0 to 1, was answered."""
        return float(np.quantile(self.latency_seconds, share))

    @property
    def scored_windows(self) -> list[QualityWindow]:
        """The windows whose labels suffice for an AUC."""
        return [window for window in self.quality.windows if window.scores.get("auc") is not None]


def gather(
    period: Period,
    flights: "pd.DataFrame",
    replay: "Replay",
    finished: "Progress",
    *,
    trained_rows: int,
    requests_in_flight: int,
    quality: Quality,
    drift: Drift,
) -> Findings:
    """The findings of a replay that went to its end."""
    return Findings(
        period=period,
        trained_rows=trained_rows,
        flights=len(flights),
        landed=int(flights["arrival"].notna().sum()),
        labels_parked=replay.labels_parked,
        replay_seconds=finished.elapsed_seconds,
        requests_in_flight=requests_in_flight,
        latency_seconds=replay.latency_seconds,
        departure_days=flights["scheduled_departure"].dt.tz_localize(None).to_numpy().astype("datetime64[D]"),
        quality=quality,
        drift=drift,
        recomputed=_recomputed(flights, replay.scores, quality, period),
    )


def _recomputed(
    flights: "pd.DataFrame", scores: NDArray[np.float64], quality: Quality, period: Period
) -> dict[datetime, float]:
    departs, has_label = flights["scheduled_departure"], flights["arrival"].notna()
    found = {}
    for window in quality.windows:
        end = min(window.end, period.until)
        chosen = (has_label & (departs >= window.start) & (departs < end)).to_numpy()
        auc = auc_of(flights[LABEL].to_numpy()[chosen], scores[chosen])
        if auc is not None:
            found[window.start] = auc
    return found


def auc_so_far(flights: "pd.DataFrame", scores: NDArray[np.float64], moment: datetime) -> float | None:
    """AUC of the flights that are answered and have arrived by a moment, without the server's records.

    Args:
        scores: float64 [flights]; NaN where there is no answer yet.
    """
    known = (flights["arrival"] <= moment).to_numpy() & ~np.isnan(scores)
    return auc_of(flights[LABEL].to_numpy()[known], scores[known])


def auc_of(is_late: NDArray[np.bool_], scores: NDArray[np.float64]) -> float | None:
    """The chance, 0 to 1, that a late flight has a higher score than a punctual one; None without flights of either."""
    from sklearn.metrics import roc_auc_score

    if is_late.all() or not is_late.any():
        return None
    return float(roc_auc_score(is_late, scores))
