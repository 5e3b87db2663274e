"""The way in for batch files: names the version that answers, knows a repeated request again, takes the blocks."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from mlp.batches import store
from mlp.batches.batch import Batch, BatchError, NewBatch, Options
from mlp.batches.choices import BatchState
from mlp.batches.endings import Endings
from mlp.batches.reception import FileReception, Reception, Repetition
from mlp.batches.row_parser import check_options
from mlp.clock import now
from mlp.config import Settings
from mlp.errors import Conflict, Unavailable, UploadIncomplete
from mlp.inference.bodies import event_micros
from mlp.jobs.service import JobService
from mlp.registry.service import RegistryService
from mlp.storage.database import Database
from mlp.storage.incoming import gathered

_log = logging.getLogger(__name__)
#: An upload of which nothing was heard for so long has gone with its server: one that lives says so every few seconds.
UPLOAD_SILENCE_SECONDS = 180.0
#: Uploads that are cut up at the same time; others wait for their turn, block by block.
_UPLOAD_THREADS = 4
#: Times that a key is tried whose batch has just gone.
_KEY_TRIES = 5


class BatchUploads:
    """Receives files, several at once; close() ends its threads."""

    def __init__(
        self, database: Database, jobs: JobService, registry: RegistryService, settings: Settings, endings: Endings
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._registry = registry
        self._settings = settings
        self._endings = endings
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(_UPLOAD_THREADS, thread_name_prefix="mlp-batch-upload")

    def close(self) -> None:
        """End the threads that receive files; may be called twice."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def receive(
        self,
        model: str,
        reference: str | None,
        options: Options,
        chunks: AsyncIterable[bytes],
        *,
        idempotency_key: str | None = None,
    ) -> Batch:
        """The batch of a file that has arrived whole; its first chunks are predicted while it arrives.

        Args:
            reference: Number or alias of the version; None: the champion. Decided now, for all rows.

        Raises:
            UnknownModel, UnknownVersion: There is none of that name.
            BadInput: An option, the columns, or the form of the file as a whole is wrong; or a row, where one suffices.
            Conflict: A file is being received under this key, or the batch was cancelled meanwhile.
            IdempotencyKeyReused: The key belongs to another file.
            TooManyRequests, DatabaseUnavailable: For longer than an upload waits.
        """
        loop = asyncio.get_running_loop()
        reception = await loop.run_in_executor(self._threads, self._begin, model, reference, options, idempotency_key)
        try:
            async for block in gathered(chunks):
                await loop.run_in_executor(self._threads, reception.write, block)
            return await loop.run_in_executor(self._threads, reception.finish)
        except BaseException as error:
            with contextlib.suppress(RuntimeError):  # the threads have ended: whoever starts next ends the batch
                await loop.run_in_executor(self._threads, reception.abandon, error)
            raise

    def end_silent(self, open_batches: Iterable[tuple[Batch, bool]], moment: datetime) -> None:
        """End those that are being received and of which nothing was heard since then."""
        for batch, _ in open_batches:
            if batch.state is BatchState.RECEIVING and batch.touched_at < moment:
                self._end_silent_upload(batch)

    def _end_silent_upload(self, batch: Batch) -> None:
        detail = f"the upload broke off after {batch.bytes} bytes: send it again"
        if self._endings.fail(batch.id, BatchError(UploadIncomplete.code, detail)):
            _log.warning("an upload has gone with its server", extra={"batch": batch.id})

    def _begin(self, model: str, reference: str | None, options: Options, idempotency_key: str | None) -> Reception:
        check_options(options)
        event_micros(options.at)
        version = self._registry.resolve(model, reference)
        new = NewBatch(version.model, reference, version.number, options, idempotency_key)
        for _ in range(_KEY_TRIES):
            with self._database.transaction() as connection:
                batch = store.find_batch(connection, new.id) if store.insert_batch(connection, new) else None
                other = None
                if batch is None and idempotency_key is not None:
                    other = store.find_by_key(connection, new.tenant, idempotency_key)
            if batch is not None:
                return FileReception(
                    self._database, self._jobs, self._endings, self._settings, batch, version.signature, self._stopping
                )
            if other is not None and other.state is not BatchState.RECEIVING:
                return Repetition(self._settings, new, other)
            if other is not None and other.touched_at >= now() - timedelta(seconds=UPLOAD_SILENCE_SECONDS):
                raise Conflict(
                    "a file is being received under this Idempotency-Key, or its upload broke off a moment ago: "
                    f"cancel batch {other.id}, or try again in some minutes",
                    batch_id=other.id,
                )
            if other is not None:
                self._end_silent_upload(other)
        raise Unavailable("the batch under this Idempotency-Key has just ended: try again")
