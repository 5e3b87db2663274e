"""What monitoring knows of a model: drift of its inputs against the reference, and (quality.py) its quality over time.

Counts are taken as inferences reach the database, in the same transaction, so that a question about a year costs
no more than 365 small rows.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa

from mlp.clock import now
from mlp.config import Settings
from mlp.inference.drain import DrainedRecord
from mlp.monitoring import store
from mlp.monitoring.columns import histogram_columns
from mlp.monitoring.drift import check_drift
from mlp.monitoring.histograms import Counts, Reference
from mlp.monitoring.quality import measure_quality
from mlp.monitoring.schemas import Drift, DriftWindow, FeatureDriftItem, Quality, ReferenceItem
from mlp.monitoring.store import DayCounts
from mlp.monitoring.windows import Window, WindowLength, choose_by, window_of
from mlp.registry.service import RegistryService
from mlp.signature.batch import join
from mlp.storage.database import Database

_DAY = timedelta(days=1)


class MonitoringService:
    """Quality and drift of all models; one per process."""

    def __init__(self, database: Database, registry: RegistryService, settings: Settings) -> None:
        self._database = database
        self._registry = registry
        self._settings = settings
        self._references: dict[tuple[str, int], Reference | None] = {}

    def observe_drained(self, connection: sa.Connection, drained: Sequence[DrainedRecord]) -> None:
        """Count the inputs of newly recorded rows; takes part in the drain's transaction."""
        groups: dict[tuple[str, int, datetime], list[DrainedRecord]] = defaultdict(list)
        for item in drained:
            if item.read is not None:
                day = item.record.at.replace(hour=0, minute=0, second=0, microsecond=0)
                groups[item.record.model, item.record.version, day].append(item)
        for (model, version, day), items in sorted(groups.items()):
            self._count(connection, model, version, day, items)

    def _count(
        self, connection: sa.Connection, model: str, version: int, day: datetime, items: Sequence[DrainedRecord]
    ) -> None:
        reference = self._reference(model, version)
        reads = [item.read for item in items if item.read is not None]
        if reference is None or not reads:
            return
        batch = join([read.batch for read in reads])
        counts = {
            name: reference.features[name].bins.count(column).tolist()
            for name, column in histogram_columns(reads[0].signature, batch).items()
            if name in reference.features
        }
        store.add_counts(connection, model, version, day, batch.rows, counts)

    def _reference(self, model: str, version: int) -> Reference | None:
        """The version's frozen reference; versions never change, so it is read once."""
        key = (model, version)
        if key not in self._references:
            document = self._registry.find_reference(model, version)
            self._references[key] = None if document is None else Reference.from_json(document)
        return self._references[key]

    def drift(
        self,
        model: str,
        *,
        by: WindowLength | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        version: str | None = None,
    ) -> Drift:
        """Drift of a version (the champion unless one is named) by calendar windows of event time.

        Raises:
            UnknownModel, UnknownVersion: Nothing of that name.
        """
        resolved = self._registry.resolve(model, version)
        reference = self._reference(resolved.model, resolved.number)
        with self._database.reading() as connection:
            days = store.list_days(connection, resolved.model, resolved.number, since, until)
        length = _length(by, [day.day for day in days])
        windows = [] if reference is None else _drift_windows(reference, days, length)
        return Drift(
            model=resolved.model,
            version=str(resolved.number),
            reference=None if reference is None else ReferenceItem(rows=reference.rows, source="registration"),
            by=length.value,
            windows=windows,
        )

    def quality(
        self,
        model: str,
        *,
        by: WindowLength | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: datetime | None = None,
        version: str | None = None,
    ) -> Quality:
        """Quality of a model (all versions that answered, or one) by calendar windows of event time.

        Args:
            as_of: The moment to look from: labels that came about later are not known yet.

        Raises:
            UnknownModel, UnknownVersion: Nothing of that name.
        """
        resolved = self._registry.resolve(model, version)
        horizon = self._registry.get_entry(model).settings.get("label_horizon_seconds")
        with self._database.reading() as connection:
            return measure_quality(
                connection,
                resolved,
                None if version is None else resolved.number,
                horizon_seconds=self._settings.label_horizon_seconds if horizon is None else float(horizon),
                by=by,
                since=since,
                until=until,
                as_of=now() if as_of is None else as_of,
            )


def _length(by: WindowLength | None, days: Sequence[datetime]) -> WindowLength:
    if by is not None:
        return by
    return choose_by(days[-1] - days[0] + _DAY) if days else WindowLength.DAY


def _drift_windows(reference: Reference, days: Sequence[DayCounts], by: WindowLength) -> list[DriftWindow]:
    grouped: dict[Window, list[DayCounts]] = defaultdict(list)
    for day in days:
        grouped[window_of(day.day, by)].append(day)
    return [_drift_window(reference, window, members) for window, members in grouped.items()]


def _drift_window(reference: Reference, window: Window, days: Sequence[DayCounts]) -> DriftWindow:
    counts: dict[str, Counts] = {}
    for day in days:
        for name, values in day.counts.items():
            added = np.array(values, dtype=np.int64)
            counts[name] = counts[name] + added if name in counts else added
    found = check_drift(reference, counts)
    drifted = [item.feature for item in found if item.is_drifted]
    return DriftWindow(
        start=window.start,
        end=window.end,
        rows=sum(day.rows for day in days),
        drifted=drifted,
        drifted_ratio=len(drifted) / len(found) if found else 0.0,
        features=[FeatureDriftItem(**asdict(item)) for item in found],
    )
