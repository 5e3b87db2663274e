"""Batch files as their owners see them: look, read the result and the bad rows, cancel; and the sweep.

Files come in through ``uploads``.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from mlp.batches import store
from mlp.batches.batch import Batch, BatchError
from mlp.batches.choices import BatchState
from mlp.batches.endings import Endings, has_lost, is_complete, rows_of
from mlp.batches.results import PlacedError, Results
from mlp.batches.uploads import UPLOAD_SILENCE_SECONDS, BatchUploads
from mlp.clock import now
from mlp.config import Settings
from mlp.errors import BadInput, Conflict, JobFinished, UnknownBatch
from mlp.jobs.service import JobService
from mlp.registry.service import RegistryService
from mlp.storage.database import Database
from mlp.storage.paging import LIMIT_DEFAULT, Page, check_limit, decode_cursor, page_of

_ID = re.compile(r"[0-9a-f-]{36}")


class BatchService:
    """The batch files of one database; safe for use by several threads. close() ends its threads.

    Attributes:
        uploads: The way in for files.
        call_rows_max: Rows of a chunk that one call of the model takes.
    """

    def __init__(self, database: Database, jobs: JobService, registry: RegistryService, settings: Settings) -> None:
        self.call_rows_max = settings.batch_rows_max
        self._database = database
        self._settings = settings
        self._endings = Endings(database, jobs)
        self._results = Results(database, jobs)
        self.uploads = BatchUploads(database, jobs, registry, settings, self._endings)

    def close(self) -> None:
        """End the threads that receive files; may be called twice."""
        self.uploads.close()

    def get(self, batch_id: str) -> Batch:
        """The batch as it is now; ends it if its chunks have decided so.

        Raises:
            UnknownBatch: There is none of that id, or it was deleted when its time was over.
        """
        with self._database.reading() as connection:
            batch = self._existing(connection, batch_id)
            if batch.state.is_final:
                return batch
            counts = store.count_chunks(connection, [batch_id])[batch_id]
        if is_complete(batch, counts) or has_lost(batch, counts):
            self._endings.settle(batch_id)
            with self._database.reading() as connection:
                return self._existing(connection, batch_id)
        rows_done, rows_bad = rows_of(counts)
        return replace(batch, rows_done=rows_done, rows_bad=rows_bad)

    def list_batches(
        self,
        *,
        model: str | None = None,
        state: BatchState | None = None,
        idempotency_key: str | None = None,
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
    ) -> Page[Batch]:
        """Batches, newest first.

        Raises:
            BadInput: The cursor is of another list, or the limit out of bounds.
        """
        check_limit(limit)
        after = decode_cursor(cursor, str)
        if "\0" in f"{model}{idempotency_key}":
            raise BadInput("neither a model nor a key has a zero byte in it")
        with self._database.reading() as connection:
            found = store.list_batches(
                connection,
                model=model,
                state=state,
                key=idempotency_key,
                limit=limit + 1,
                before_id=None if after is None else str(after[0]),
            )
            under_way = [batch.id for batch in found if not batch.state.is_final]
            counts = store.count_chunks(connection, under_way) if under_way else {}
        shown = []
        for batch in found:
            rows_done, rows_bad = rows_of(counts.get(batch.id, []))
            shown.append(batch if batch.state.is_final else replace(batch, rows_done=rows_done, rows_bad=rows_bad))
        return page_of(shown, limit, lambda batch: (batch.id,))

    def cancel(self, batch_id: str) -> Batch:
        """The cancelled batch; chunks that are done stay done, those that run are asked to stop.

        Raises:
            UnknownBatch: There is none of that id.
            JobFinished: It has succeeded or failed.
        """
        self.get(batch_id)
        self._endings.cancel(batch_id)
        batch = self.get(batch_id)
        if batch.state is not BatchState.CANCELLED:
            raise JobFinished(f"the batch has {batch.state} already and cannot be cancelled")
        return batch

    def result(
        self, batch_id: str, *, is_partial: bool = False, first_chunk: int = 0, chunks_max: int | None = None
    ) -> tuple[Batch, Iterator[str]]:
        """The batch and its result file piece by piece, read as it is asked for; every piece blocks.

        Args:
            is_partial: Of a batch that has not succeeded, what there is of it, in the file's order.
            first_chunk: Leave out the pieces before this one, and with them the header; ``chunks_max`` likewise
                those behind.

        Raises:
            UnknownBatch: There is none of that id, or its answers were deleted; of a later chunk, while it is read.
            Conflict: It has not succeeded.
        """
        batch = self.get(batch_id)
        if batch.state is not BatchState.SUCCEEDED and not is_partial:
            raise _no_result(batch)
        if not is_partial:
            self._results.check(batch, first_chunk)
        texts = self._results.texts(batch, is_partial=is_partial, first_chunk=first_chunk, chunks_max=chunks_max)
        return batch, texts

    def list_errors(self, batch_id: str, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> Page[PlacedError]:
        """The bad rows found so far, in the file's order.

        Raises:
            UnknownBatch: There is none of that id.
            BadInput: The cursor is of another list, or the limit out of bounds.
        """
        check_limit(limit)
        after = decode_cursor(cursor, int, int)
        batch = self.get(batch_id)
        place = None if after is None else (int(after[0]), int(after[1]))
        found = self._results.errors(batch, after=place, limit=limit + 1)
        return page_of(found, limit, lambda each: (each.chunk, each.place))

    def has_ended(self, batch_id: str) -> bool:
        """Whether nobody needs the rows of this batch any more."""
        with self._database.reading() as connection:
            batch = store.find_batch(connection, batch_id)
        return batch is None or batch.state.is_final

    def fail(self, batch_id: str, error: BatchError) -> None:
        """End the batch for this reason, unless it has ended; what is left of it is cancelled."""
        self._endings.fail(batch_id, error)

    def note_bad_rows(self, batch_id: str, number: int, count: int) -> None:
        """Note how many rows of a chunk are bad, shortly before its job ends."""
        with self._database.transaction() as connection:
            store.set_rows_bad(connection, batch_id, number, count)

    def sweep(self) -> None:
        """End what has ended although nobody looks, and cancel what is left of it."""
        with self._database.reading() as connection:
            open_batches = store.list_open(connection)
            under_way = [batch.id for batch, has_leftovers in open_batches if not has_leftovers]
            counts = store.count_chunks(connection, under_way) if under_way else {}
        self.uploads.end_silent(open_batches, now() - timedelta(seconds=UPLOAD_SILENCE_SECONDS))
        for batch, has_leftovers in open_batches:
            counted = counts.get(batch.id, [])
            if has_leftovers:
                self._endings.cancel_leftovers(batch.id)
            elif is_complete(batch, counted) or has_lost(batch, counted):
                self._endings.settle(batch.id)

    def end_uploads_before(self, moment: datetime) -> None:
        """End the batches of files that were being received before then: their server has died."""
        with self._database.reading() as connection:
            open_batches = store.list_open(connection)
        self.uploads.end_silent(open_batches, moment)

    def _existing(self, connection: sa.Connection, batch_id: str) -> Batch:
        batch = store.find_batch(connection, batch_id) if _ID.fullmatch(batch_id) else None
        if batch is None:
            kept_days = self._settings.job_retention_days
            raise UnknownBatch(f"unknown batch '{batch_id[:100]}': finished batches are kept for {kept_days} days")
        return batch


def _no_result(batch: Batch) -> Conflict:
    progress = {"state": batch.state.value, "rows": batch.rows, "rows_done": batch.rows_done}
    if batch.state is BatchState.FAILED and batch.error is not None:
        why = f"the batch has failed: {batch.error.detail}"
    elif batch.state is BatchState.CANCELLED:
        why = "the batch was cancelled"
    else:
        why = f"the batch is {batch.state}: {batch.rows_done} of {batch.rows} rows are done"
    return Conflict(f"{why} (partial=true reads what there is)", **progress)
