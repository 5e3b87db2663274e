"""Decides what a label means for an inference: first, repeated, changed or late; pure functions.

A label names its inference by id and row, or by the caller's key; a key that was predicted often means the latest
prediction before the label's time, since a label cannot be about what was asked after it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlp.inference.outcomes import Target


class FeedbackState(StrEnum):
    """What became of an accepted label."""

    MATCHED = "matched"  #: the first label of its inference
    PARKED = "parked"  #: no such inference yet; matched when it comes
    REPEATED = "repeated"  #: the same label again; counts nothing, and is kept unless its inference is still awaited
    CHANGED = "changed"  #: another label than before; the newer of the two counts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a label does to its inference.

    Attributes:
        counts: The inference takes this label; otherwise the one it has stays.
        delay_seconds: From the predicted event to the label's own time, at least 0.
        is_late: Older than the model's label horizon when it came about.
    """

    state: FeedbackState
    counts: bool
    delay_seconds: float
    is_late: bool


def judge(
    *,
    label: Any,
    label_at: datetime,
    known_label: Any,
    known_at: datetime | None,
    predicted_at: datetime,
    horizon_seconds: float,
) -> Verdict:
    """The verdict on one label, given what its inference has already."""
    delay_seconds = max(0.0, (label_at - predicted_at).total_seconds())
    is_late = delay_seconds > horizon_seconds
    if known_at is None:
        return Verdict(FeedbackState.MATCHED, True, delay_seconds, is_late)
    if _is_same(known_label, label):
        return Verdict(FeedbackState.REPEATED, False, delay_seconds, is_late)
    return Verdict(FeedbackState.CHANGED, label_at >= known_at, delay_seconds, is_late)


class Ledger:
    """The inferences that some labels are about, updated as each label is judged, so that two of one request agree.

    Args:
        by_id: Recorded rows by inference id and row.
        by_key: Recorded rows by the caller's key, oldest first.
        horizon_seconds: The model's label horizon.
    """

    def __init__(
        self,
        by_id: Mapping[tuple[str, int], Target],
        by_key: Mapping[str, Sequence[Target]],
        *,
        horizon_seconds: float,
    ) -> None:
        self._by_id = by_id
        self._by_key = by_key
        self._horizon_seconds = horizon_seconds
        self._labels: dict[tuple[str, int], tuple[Any, datetime]] = {}

    def judge(
        self, label: Any, label_at: datetime, inference_id: str | None, row: int, key: str | None
    ) -> tuple[Target | None, Verdict | None]:
        """The inference that a label is about and the verdict on it; None twice while there is no such inference."""
        target = self._by_id.get((inference_id, row)) if inference_id is not None else self._latest(key, label_at)
        if target is None:
            return None, None
        place = (target.id, target.row)
        known_label, known_at = self._labels.get(place, (target.label, target.label_at))
        verdict = judge(
            label=label,
            label_at=label_at,
            known_label=known_label,
            known_at=known_at,
            predicted_at=target.at,
            horizon_seconds=self._horizon_seconds,
        )
        if verdict.counts:
            self._labels[place] = (label, label_at)
        return target, verdict

    def _latest(self, key: str | None, before: datetime) -> Target | None:
        candidates = self._by_key.get(key, ()) if key is not None else ()
        return next((target for target in reversed(candidates) if target.at <= before), None)

    def decided(self) -> list[tuple[str, int, Any, datetime]]:
        """Inference id, row, label and its time for every inference whose label changed."""
        return [(inference_id, row, label, at) for (inference_id, row), (label, at) in self._labels.items()]


class Parked:
    """Labels that wait for their inference, so that one sent again is told from one that says something new.

    Args:
        waiting: Those there are: inference id, row, key, label and its time, in the order in which they came.
    """

    def __init__(self, waiting: Iterable[tuple[str | None, int, str | None, Any, datetime]] = ()) -> None:
        self._labels: dict[tuple[str | None, int, str | None], list[tuple[datetime, Any]]] = defaultdict(list)
        for inference_id, row, key, label, at in waiting:
            self._labels[inference_id, row, key].append((at, label))

    def park(
        self, label: Any, label_at: datetime, inference_id: str | None, row: int, key: str | None, *, has_time: bool
    ) -> FeedbackState:
        """Note a label: PARKED, or REPEATED when it says again what already waits.

        Args:
            has_time: The sender gave the label's time. Two labels of one key at two times may be about two
                predictions; only without a time is the newest label of a key the one to compare with.
        """
        waiting = self._labels[inference_id, row, key]
        is_known = any(at == label_at and _is_same(known, label) for at, known in waiting)
        if waiting and not is_known and (key is None or not has_time):
            newest = max(waiting, key=lambda item: item[0])
            is_known = _is_same(newest[1], label)
        if is_known:
            return FeedbackState.REPEATED
        waiting.append((label_at, label))
        return FeedbackState.PARKED


def _is_same(known: Any, label: Any) -> bool:
    return bool(known == label) and type(known) is type(label)
