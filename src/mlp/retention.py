"""Deletes what has outlived its time: inferences, feedback, batches, uploads nobody needs; jobs delete their own."""

import logging
from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from mlp.batches import store as batches_store
from mlp.clock import now
from mlp.config import Settings
from mlp.feedback import store as feedback_store
from mlp.inference import store as inference_store
from mlp.jobs.large_results import LargeResults
from mlp.registry.service import RegistryService
from mlp.storage.database import Database

_log = logging.getLogger(__name__)
RETENTION_SECONDS = 600.0
#: Rows of one transaction: a deletion must not hold up the writers for long.
_ROWS_PER_DELETE = 5_000


class Retention:
    """What is deleted by age, each by its own setting."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        registry: RegistryService,
        large_results: LargeResults,
    ) -> None:
        self._settings = settings
        self._database = database
        self._registry = registry
        self._large_results = large_results

    def delete_old(self) -> None:
        """Delete everything that is due now, in small transactions."""
        before = now() - timedelta(days=self._settings.retention_days)
        jobs_before = now() - timedelta(days=self._settings.job_retention_days)
        deleted = {
            "inferences": self._in_portions(
                lambda connection: inference_store.delete_older(connection, before, _ROWS_PER_DELETE)
            ),
            "feedback": self._in_portions(
                lambda connection: feedback_store.delete_older(connection, before, _ROWS_PER_DELETE)
            ),
            "batches": self._in_portions(
                lambda connection: batches_store.delete_older(connection, jobs_before, _ROWS_PER_DELETE)
            ),
            "results": self._large_results.delete_old(),
            "uploads": self._registry.uploads.sweep(),
        }
        if any(deleted.values()):
            _log.info("deleted what was due by age", extra=deleted)

    def _in_portions(self, delete: Callable[[sa.Connection], int]) -> int:
        total = 0
        while True:
            with self._database.transaction() as connection:
                count = delete(connection)
            total += count
            if count < _ROWS_PER_DELETE:
                return total
