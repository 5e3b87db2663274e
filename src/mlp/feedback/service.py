"""Accepts labels: checks them, ties them to their inferences, parks those whose inference is not there yet.

Whatever is acknowledged has been committed. Late, repeated, changed and parked labels are kept and told apart.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from mlp.clock import from_rfc3339, new_id, now, to_rfc3339
from mlp.config import Settings
from mlp.errors import BadInput, BodyTooLarge, MLPError
from mlp.feedback import metrics, store
from mlp.feedback.matching import FeedbackState, Ledger, Parked, Verdict
from mlp.feedback.schemas import FeedbackIn, FeedbackReport, FeedbackSummary, LabelIn, Rejection
from mlp.inference import outcomes
from mlp.inference.drain import DrainedRecord
from mlp.inference.outcomes import Target
from mlp.registry.service import RegistryService
from mlp.registry.snapshot import ModelEntry
from mlp.signature import Signature, Task
from mlp.storage.database import Database

_DELAYS_LOOKED_AT = 10_000
#: Clocks and time zones go wrong by hours; what lies further ahead is a mistake in the data.
_AHEAD_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A label that may be written: typed, with its own time."""

    label: Any
    at: datetime
    key: str | None
    inference_id: str | None
    row: int
    source: str | None
    has_time: bool = True


class FeedbackService:
    """Labels of all models; one per process."""

    def __init__(self, database: Database, registry: RegistryService, settings: Settings) -> None:
        self._database = database
        self._registry = registry
        self._settings = settings

    def accept(self, request: FeedbackIn) -> FeedbackReport:
        """What became of each label, after it was committed; with ``check`` nothing is written.

        Raises:
            UnknownModel: No such model.
            BodyTooLarge: More labels than one request may hold.
        """
        if len(request.labels) > self._settings.feedback_labels_max:
            raise BodyTooLarge(
                f"{len(request.labels)} labels in one request, the limit is {self._settings.feedback_labels_max}: "
                "send them in parts"
            )
        entry = self._registry.get_entry(request.model)
        signature = self._registry.resolve(request.model, None).signature
        report = FeedbackReport()
        accepted = self._checked(request.labels, signature, report)
        if request.check:
            with self._database.reading() as connection:
                self._match(connection, self._ledger(connection, entry, accepted), entry, accepted, report)
            return report
        with self._database.transaction() as connection:
            ledger = self._ledger(connection, entry, accepted)
            rows = self._match(connection, ledger, entry, accepted, report)
            store.insert(connection, rows)
            outcomes.set_labels(connection, ledger.decided())
        self._count(entry.name, report)
        _observe_delays(entry.name, rows)
        return report

    def _checked(self, labels: Sequence[LabelIn], signature: Signature, report: FeedbackReport) -> list[_Accepted]:
        received_at = now()
        accepted: list[_Accepted] = []
        for index, item in enumerate(labels):
            try:
                accepted.append(_accepted(item, signature, received_at))
            except MLPError as error:
                report.rejected.append(Rejection(index=index, code=error.code, detail=error.message))
        return accepted

    def _match(
        self,
        connection: sa.Connection,
        ledger: Ledger,
        entry: ModelEntry,
        accepted: Sequence[_Accepted],
        report: FeedbackReport,
    ) -> list[dict[str, Any]]:
        """The rows to note, each in the state that the ledger gives it; counted in the report."""
        received_at = now()
        judged = [
            (item, *ledger.judge(item.label, item.at, item.inference_id, item.row, item.key)) for item in accepted
        ]
        parked = _parked(connection, entry.name, [item for item, _target, verdict in judged if verdict is None])
        rows = []
        for item, target, verdict in judged:
            state = _park(parked, item) if verdict is None else verdict.state
            setattr(report, state.value, getattr(report, state.value) + 1)
            report.late += int(verdict is not None and verdict.is_late)
            if verdict is not None or state is FeedbackState.PARKED:
                rows.append(_row(entry.name, item, target, verdict, received_at))
        return rows

    def _ledger(self, connection: sa.Connection, entry: ModelEntry, accepted: Sequence[_Accepted]) -> Ledger:
        ids = sorted({item.inference_id for item in accepted if item.inference_id is not None})
        keys = sorted({item.key for item in accepted if item.key is not None})
        return Ledger(
            outcomes.targets_by_id(connection, entry.name, ids),
            outcomes.targets_by_key(connection, entry.name, keys),
            horizon_seconds=self._horizon_seconds(entry),
        )

    def _horizon_seconds(self, entry: ModelEntry) -> float:
        horizon = entry.settings.get("label_horizon_seconds")
        return self._settings.label_horizon_seconds if horizon is None else float(horizon)

    def match_drained(self, connection: sa.Connection, drained: Sequence[DrainedRecord]) -> None:
        """Give newly recorded rows the labels that came before them; takes part in the drain's transaction."""
        waiting = store.models_with_parked(connection)
        by_model: dict[str, list[DrainedRecord]] = defaultdict(list)
        for item in drained:
            if item.record.model in waiting and item.record.role != "shadow":
                by_model[item.record.model].append(item)
        for model, items in by_model.items():
            self._match_parked(connection, model, items)

    def _match_parked(self, connection: sa.Connection, model: str, items: Sequence[DrainedRecord]) -> None:
        ids = [item.record.id for item in items]
        keys = sorted({key for item in items for key in item.record.keys or () if key is not None})
        parked = store.list_parked(connection, model, keys, ids)
        entry = self._registry.find_entry(model)
        if not parked or entry is None:
            return
        accepted = [
            _Accepted(row["label"], row["at"], row["key"], row["inference_id"], row["row"], row["source"])
            for row in parked
        ]
        ledger = self._ledger(connection, entry, accepted)
        settled = []
        for row, item in zip(parked, accepted, strict=True):
            target, verdict = ledger.judge(item.label, item.at, item.inference_id, item.row, item.key)
            if target is not None and verdict is not None:
                settled.append({"id": row["id"], **_placed(target, verdict)})
        outcomes.set_labels(connection, ledger.decided())
        store.settle(connection, settled)
        _observe_delays(model, settled)

    def summary(self, model: str) -> FeedbackSummary:
        """How many of a model's predictions have labels, and how long the labels took.

        Raises:
            UnknownModel: No such model.
        """
        entry = self._registry.get_entry(model)
        with self._database.reading() as connection:
            predictions, labelled = outcomes.count_labelled(connection, entry.name)
            states = store.count_states(connection, entry.name)
            delays = sorted(store.list_delays(connection, entry.name, _DELAYS_LOOKED_AT))
        return FeedbackSummary(
            predictions=predictions,
            labelled=labelled,
            coverage=labelled / predictions if predictions else None,
            parked=states.get("parked", 0),
            repeated=states.get("repeated", 0),
            changed=states.get("changed", 0),
            delay_p50_seconds=_quantile(delays, 0.5),
            delay_p95_seconds=_quantile(delays, 0.95),
        )

    def _count(self, model: str, report: FeedbackReport) -> None:
        for state in FeedbackState:
            metrics.labels.labels(model, state.value).inc(getattr(report, state.value))
        metrics.labels.labels(model, "rejected").inc(len(report.rejected))


def _observe_delays(model: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Of first labels only: a label that comes again says nothing new about how long labels take."""
    for row in rows:
        if row["state"] == FeedbackState.MATCHED.value:
            metrics.label_delay_seconds.labels(model).observe(row["delay_seconds"])


def _parked(connection: sa.Connection, model: str, awaiting: Sequence[_Accepted]) -> Parked:
    """What waits already for the inferences that these labels are about."""
    ids = sorted({item.inference_id for item in awaiting if item.inference_id is not None})
    keys = sorted({item.key for item in awaiting if item.key is not None})
    waiting = store.list_parked(connection, model, keys, ids)
    return Parked((row["inference_id"], row["row"], row["key"], row["label"], row["at"]) for row in waiting)


def _park(parked: Parked, item: _Accepted) -> FeedbackState:
    return parked.park(item.label, item.at, item.inference_id, item.row, item.key, has_time=item.has_time)


def _accepted(item: LabelIn, signature: Signature, received_at: datetime) -> _Accepted:
    if item.label is msgspec.UNSET:
        raise BadInput("'label' is missing: give what turned out to be true")
    if (item.id is None) == (item.key is None):
        raise BadInput("a label names its inference by 'id' (and 'row') or by 'key': give exactly one of the two")
    at = received_at if item.at is None else from_rfc3339(item.at)
    if at > received_at + _AHEAD_MAX:
        raise BadInput(f"'at' is {to_rfc3339(at)}, more than a day from now: a label says what has happened already")
    label = typed_label(item.label, signature)
    return _Accepted(label, at, item.key, item.id, item.row, item.source, has_time=item.at is not None)


def typed_label(label: Any, signature: Signature) -> Any:
    """The label in the type of the model's classes, or as a number for a regression.

    Raises:
        BadInput: It is none of the classes, or no finite number.
    """
    if signature.task is Task.CLASSIFICATION and signature.classes is not None:
        for known in signature.classes:
            if known == label and isinstance(known, bool) == isinstance(label, bool):
                return known
        classes = ", ".join(_json(known) for known in signature.classes)
        raise BadInput(f"label {_json(label)} is not one of the model's classes: {classes}")
    if signature.task is Task.REGRESSION:
        is_number = isinstance(label, int | float) and not isinstance(label, bool) and math.isfinite(label)
        if not is_number:
            raise BadInput(f"label {_json(label)} is not a number, and the model predicts numbers")
        return float(label)
    return label


def _json(value: Any) -> str:
    """A value as the sender would write it."""
    return msgspec.json.encode(value).decode()


def _row(
    model: str, item: _Accepted, target: Target | None, verdict: Verdict | None, received_at: datetime
) -> dict[str, Any]:
    row = {
        "id": new_id(),
        "model": model,
        "state": FeedbackState.PARKED.value,
        "key": item.key,
        "inference_id": item.inference_id,
        "row": item.row,
        "label": item.label,
        "at": item.at,
        "received_at": received_at,
        "source": item.source,
        "delay_seconds": None,
        "is_late": False,
    }
    return row if target is None or verdict is None else {**row, **_placed(target, verdict)}


def _placed(target: Target, verdict: Verdict) -> dict[str, Any]:
    return {
        "inference_id": target.id,
        "row": target.row,
        "state": verdict.state.value,
        "delay_seconds": verdict.delay_seconds,
        "is_late": verdict.is_late,
    }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
