"""Receives a batch file: counts and digests it, cuts it into chunks, and makes jobs of them while it still arrives.

At most a group of chunks is in memory. The rows of chunks are written before their jobs, so that no job is ever
without its batch; a kill between the two leaves a batch that a sweep ends.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import msgspec

from mlp.batches import store
from mlp.batches.batch import Batch, BatchError, NewBatch, NewChunk
from mlp.batches.choices import BatchState
from mlp.batches.chunks import CHUNK_BYTES_MAX, ChunkCutter
from mlp.batches.endings import Endings
from mlp.batches.file_reader import FileRow
from mlp.batches.formats import make_reader
from mlp.batches.result_writer import header_line
from mlp.batches.row_parser import check_columns
from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import (
    BodyTooLarge,
    Conflict,
    IdempotencyKeyReused,
    MalformedBody,
    MLPError,
    StorageFull,
    Unavailable,
    UploadIncomplete,
    all_error_classes,
)
from mlp.jobs.idempotency import fingerprint
from mlp.jobs.job import NewJob
from mlp.jobs.service import JobService
from mlp.jobs.states import Priority
from mlp.signature import Signature
from mlp.storage.database import Database

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

#: The kind of the job that predicts a chunk.
PREDICT = "batches.predict"
#: In the data folder: files that can only be cut when they are whole.
_ASIDE = "batch-files"
#: Chunks whose jobs share a COMMIT; fewer where they are large.
_GROUP_CHUNKS = 4
_GROUP_BYTES_MAX = 2 * CHUNK_BYTES_MAX
#: While nothing is cut (long rows, a slow sender) the batch says at least this often that it is still arriving.
_TOUCH_SECONDS = 5.0
#: How long an upload waits for a database that is away or a queue that is full. The sender waits with it.
_PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.5


class Reception(Protocol):
    """What takes the blocks of one upload, for one thread at a time."""

    def write(self, block: bytes) -> None:
        """Take a block.

        Raises:
            BadInput: The file as a whole cannot be answered, or is too large.
            Conflict: The batch has ended meanwhile.
            Unavailable: Its jobs could not be written within the patience for it.
        """

    def finish(self) -> Batch:
        """The batch of the whole file.

        Raises:
            As write(); IdempotencyKeyReused: The key belongs to another file.
        """

    def abandon(self, error: BaseException, /) -> None:
        """The upload has ended before its time, or with an error."""


class FileReception:
    """Receives a new file.

    Args:
        batch: In the state ``receiving``.
        signature: Of the version that will answer; a CSV whose columns do not fit is refused at its first line.
        stopping: Set when the server ends: then nothing is waited for.
    """

    def __init__(
        self,
        database: Database,
        jobs: JobService,
        endings: Endings,
        settings: Settings,
        batch: Batch,
        signature: Signature,
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._stopping = stopping
        self._endings = endings
        self._settings = settings
        self._batch = batch
        self._signature = signature
        self._reader = make_reader(batch.options, settings.folder / _ASIDE)
        self._cutter: ChunkCutter | None = None
        self._group: list[NewChunk] = []
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._rows = 0
        self._touched_at = monotonic()

    def write(self, block: bytes) -> None:
        self._bytes += len(block)
        check_size(self._bytes, self._settings.batch_file_bytes_max)
        self._digest.update(block)
        self._take(self._reader.feed(block))
        if monotonic() - self._touched_at > _TOUCH_SECONDS:
            self._while_receiving(self._touch)

    def finish(self) -> Batch:
        self._take(self._reader.end())
        self._reader.close()
        last = None if self._cutter is None else self._cutter.end()
        if last is not None:
            self._group.append(last)
        if self._group:
            self._accept_group()
        if self._rows == 0:
            raise MalformedBody("the file has no rows")
        digest = fingerprint_of(self._batch, self._digest.hexdigest())
        return self._patiently(lambda: self._received(digest))

    def abandon(self, error: BaseException, /) -> None:
        self._reader.close()
        if isinstance(error, MLPError):
            reason = BatchError(error.code, error.message)
        else:
            reason = BatchError(UploadIncomplete.code, f"the upload broke off after {self._bytes} bytes: send it again")
        try:
            self._endings.fail(self._batch.id, reason)
        except Unavailable as unavailable:
            _log.warning("a broken upload is ended later: %s", unavailable.message, extra={"batch": self._batch.id})

    def _take(self, rows: Iterable[FileRow]) -> None:
        for row in rows:
            chunk = self._begun_cutter().add(row)
            if chunk is not None:
                self._group.append(chunk)
                size_bytes = sum(len(each.payload) for each in self._group)
                if len(self._group) >= _GROUP_CHUNKS or size_bytes >= _GROUP_BYTES_MAX:
                    self._accept_group()
        if self._reader.columns is not None:
            self._begun_cutter()

    def _begun_cutter(self) -> ChunkCutter:
        if self._cutter is None:
            header, columns = self._reader.header, self._reader.columns
            if columns is not None:
                check_columns(self._signature, self._batch.options, columns)
            self._patiently(lambda: self._keep_headers(header))
            self._cutter = ChunkCutter(self._batch, header, rows_max=self._settings.batch_file_chunk_rows)
        return self._cutter

    def _keep_headers(self, header: tuple[str, ...] | None) -> None:
        result_header = header_line(self._signature, self._batch.options, header)
        with self._database.transaction() as connection:
            store.set_headers(connection, self._batch.id, header, result_header)

    def _accept_group(self) -> None:
        group = self._group
        self._rows += sum(chunk.rows for chunk in group)
        self._while_receiving(lambda: self._add_chunks(group))
        # The same ids in every try: what an unclear answer of the database has written is not written twice.
        new_jobs = [
            NewJob(PREDICT, self._batch.model, chunk.payload, priority=Priority.LOW, id=chunk.job_id) for chunk in group
        ]
        self._patiently(lambda: self._jobs.submit_many(new_jobs))
        self._group = []
        self._touched_at = monotonic()

    def _add_chunks(self, group: list[NewChunk]) -> bool:
        with self._database.transaction() as connection:
            return store.add_chunks(
                connection, self._batch.id, group, rows_total=self._rows, bytes_received=self._bytes
            )

    def _touch(self) -> bool:
        self._touched_at = monotonic()
        with self._database.transaction() as connection:
            return store.touch(connection, self._batch.id, self._bytes)

    def _received(self, digest: str) -> Batch:
        with self._database.transaction() as connection:
            store.set_received(connection, self._batch.id, self._bytes, digest)
            batch = store.find_batch(connection, self._batch.id)
        # A second try finds that the first one, whose answer was lost, has written it.
        if batch is None or batch.fingerprint != digest:
            raise _ended_meanwhile(batch)
        return batch

    def _while_receiving(self, write: Callable[[], bool]) -> None:
        if not self._patiently(write):
            with self._database.reading() as connection:
                raise _ended_meanwhile(store.find_batch(connection, self._batch.id))

    def _patiently(self, action: Callable[[], _Result]) -> _Result:
        """What the action returns, which may be done twice; again while the database is away or the queue is full.

        Raises:
            Unavailable: It stayed so.
        """
        deadline = monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return action()
            except StorageFull:
                raise
            except Unavailable:
                if monotonic() > deadline or self._stopping.wait(_PAUSE_SECONDS):
                    raise


class Repetition:
    """Receives a file under an idempotency key that a batch has already: only its digest counts."""

    def __init__(self, settings: Settings, new: NewBatch, batch: Batch) -> None:
        self._settings = settings
        self._new = new
        self._batch = batch
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, block: bytes) -> None:
        self._bytes += len(block)
        check_size(self._bytes, self._settings.batch_file_bytes_max)
        self._digest.update(block)

    def finish(self) -> Batch:
        if fingerprint_of(self._new, self._digest.hexdigest()) != self._batch.fingerprint:
            raise IdempotencyKeyReused(
                f'the Idempotency-Key "{self._batch.idempotency_key}" belongs to another file: use a new key',
                batch_id=self._batch.id,
            )
        return self._batch

    def abandon(self, _error: BaseException) -> None:
        return  # the batch is not this request's


def fingerprint_of(batch: Batch | NewBatch, digest: str) -> str:
    """What makes a request the same: the model, what was named of it, the options, and the file's SHA-256."""
    return fingerprint(batch.model, batch.reference, msgspec.json.encode(batch.options), digest)


def check_size(size_bytes: int, limit_bytes: int) -> None:
    """Returns when a file of that size is allowed.

    Raises:
        BodyTooLarge: It is not.
    """
    if size_bytes > limit_bytes:
        raise BodyTooLarge(
            f"the file is larger than {limit_bytes:,} bytes: send it in parts, or raise MLP_BATCH_FILE_BYTES_MAX"
        )


def _ended_meanwhile(batch: Batch | None) -> MLPError:
    if batch is None:
        return Conflict("the batch was deleted while its file was being received")
    if batch.state is BatchState.FAILED and batch.error is not None:
        error_class = all_error_classes().get(batch.error.code, Conflict)
        return error_class(batch.error.detail, batch_id=batch.id)
    return Conflict(f"the batch is {batch.state}: it ended while its file was being received", batch_id=batch.id)
