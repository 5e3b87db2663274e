"""How batches end: decided by the states of their chunks' jobs, which are the truth; what is left over is cancelled.

Every ending is one transaction. Jobs that are to be cancelled are found again by a sweep, whatever happens in between.
"""

import logging
from collections.abc import Sequence

import sqlalchemy as sa

from mlp.batches import store
from mlp.batches.batch import Batch, BatchError
from mlp.batches.choices import BatchState
from mlp.batches.store import ChunkCount, LostChunk
from mlp.errors import JobFinished, UnknownJob
from mlp.jobs import groups
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: Jobs of one transaction: it stays a matter of milliseconds.
_JOBS_OF_ONE_CANCELLING = 500
#: Portions that one call cancels; the sweep goes on with the rest.
_PORTIONS_MAX = 20


class Endings:
    """Ends batches of one database; safe for use by several threads and processes."""

    def __init__(self, database: Database, jobs: JobService) -> None:
        self._database = database
        self._jobs = jobs

    def settle(self, batch_id: str) -> None:
        """End the batch if its chunks have decided how: all have succeeded, or one cannot any more."""
        with self._database.transaction() as connection:
            batch = store.find_batch(connection, batch_id, is_locked=True)
            if batch is None or batch.state.is_final:
                return
            counts = store.count_chunks(connection, [batch_id])[batch_id]
            has_ended = self._settle(connection, batch, counts)
        if has_ended:
            self.cancel_leftovers(batch_id)

    def _settle(self, connection: sa.Connection, batch: Batch, counts: Sequence[ChunkCount]) -> bool:
        """Whether it has ended before its time."""
        rows_done, rows_bad = rows_of(counts)
        if has_lost(batch, counts):
            lost = store.find_lost_chunk(connection, batch.id)
            error = _error_of(lost) if lost is not None else BatchError("internal", "chunks of it are gone")
            store.end_batch(
                connection, batch.id, BatchState.FAILED, error=error, rows_done=rows_done, rows_bad=rows_bad
            )
            return True
        if is_complete(batch, counts):
            store.end_batch(connection, batch.id, BatchState.SUCCEEDED, rows_done=rows_done, rows_bad=rows_bad)
        return False

    def fail(self, batch_id: str, error: BatchError) -> bool:
        """Whether the batch was failed now, for this reason; the jobs of its chunks are cancelled."""
        return self._end(batch_id, BatchState.FAILED, error)

    def cancel(self, batch_id: str) -> bool:
        """Whether the batch was cancelled now, with the jobs of its chunks."""
        return self._end(batch_id, BatchState.CANCELLED, None)

    def _end(self, batch_id: str, state: BatchState, error: BatchError | None) -> bool:
        with self._database.transaction() as connection:
            rows_done, rows_bad = rows_of(store.count_chunks(connection, [batch_id])[batch_id])
            has_ended = store.end_batch(
                connection, batch_id, state, error=error, rows_done=rows_done, rows_bad=rows_bad
            )
        if has_ended:
            self.cancel_leftovers(batch_id)
        return has_ended

    def cancel_leftovers(self, batch_id: str) -> None:
        """Cancel the jobs of an ended batch that wait; ask those to stop that run."""
        for _ in range(_PORTIONS_MAX):
            with self._database.transaction() as connection:
                unfinished = store.list_unfinished_jobs(connection, batch_id, _JOBS_OF_ONE_CANCELLING)
                if not unfinished:
                    store.clear_leftovers(connection, batch_id)
                    return
                queued = [job_id for job_id, state in unfinished if state is JobState.QUEUED]
                cancelled = groups.cancel_queued(connection, queued) if queued else []
            self._jobs.leases.tell_finished(cancelled)
            running = [job_id for job_id, state in unfinished if state is JobState.RUNNING]
            for job_id in running:
                self._ask_to_stop(job_id)
            if not cancelled:
                return  # what runs now stops by itself; the sweep looks again

    def _ask_to_stop(self, job_id: str) -> None:
        try:
            self._jobs.cancel(job_id)
        except (JobFinished, UnknownJob):
            return  # it has ended in the meantime


def rows_of(counts: Sequence[ChunkCount]) -> tuple[int, int]:
    """The rows whose answers are there, and how many of them were bad."""
    done = [count for count in counts if count.state is JobState.SUCCEEDED]
    return sum(count.rows for count in done), sum(count.rows_bad for count in done)


def is_complete(batch: Batch, counts: Sequence[ChunkCount]) -> bool:
    """Whether every row of a file that was received whole has its answer."""
    chunks_done = sum(count.chunks for count in counts if count.state is JobState.SUCCEEDED)
    return batch.state is BatchState.RUNNING and chunks_done == batch.chunks


def has_lost(batch: Batch, counts: Sequence[ChunkCount]) -> bool:
    """Whether a chunk cannot come to its end by itself any more.

    While the file is being received a chunk is written shortly before its job is.
    """
    lost = {JobState.FAILED, JobState.CANCELLED}
    states: set[JobState | None] = {count.state for count in counts}
    return bool(states & lost) or (batch.state is BatchState.RUNNING and None in states)


def _error_of(lost: LostChunk) -> BatchError:
    if lost.state is None:
        return BatchError("unknown_job", f"the job of chunk {lost.number} is gone: send the file again")
    if lost.state is JobState.CANCELLED:
        return BatchError("conflict", f"the job of chunk {lost.number} was cancelled: send the file again")
    error = lost.error if lost.error is not None else {"code": "internal", "detail": "no reason is known"}
    return BatchError(error["code"], f"chunk {lost.number}: {error['detail']}")
