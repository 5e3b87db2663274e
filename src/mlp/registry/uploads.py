"""Takes the zip of a model folder in: first the file is safe on disk under its digest, then the job that accepts it.

A crash between the two leaves a file that nothing needs, which a later sweep removes; no job ever lacks its file.
"""

import asyncio
from collections.abc import AsyncIterable, Iterable

import msgspec

from mlp.config import Settings
from mlp.jobs.job import Job
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.registry import store
from mlp.registry.names import checked_alias, checked_model_name
from mlp.storage.artefacts import ArtefactStore, Received
from mlp.storage.database import Database
from mlp.storage.incoming import SILENCE_SECONDS, check_size, gathered

#: The kind of the job that turns an upload into a version.
ACCEPT = "registry.accept"
#: Apart from predictions: a trial takes seconds, and must not hold them up.
QUEUE = "registry"
#: A file that nothing needs is kept for a day: longer than any upload takes, and long enough to retry its job.
UNUSED_SECONDS = 86_400.0


class AcceptPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What the job is told.

    Attributes:
        digest: Of the zip file, which is kept already.
        alias: What the version shall be called besides its number.
        allow_mismatch: Other package versions than the model was trained with are a warning, not an error.
    """

    model: str
    digest: str
    size_bytes: int
    alias: str | None = None
    allow_mismatch: bool = False


class Uploads:
    """The way in for new versions."""

    def __init__(self, database: Database, artefacts: ArtefactStore, jobs: JobService, settings: Settings) -> None:
        self._database = database
        self._artefacts = artefacts
        self._jobs = jobs
        self._bytes_max = settings.upload_bytes_max

    def check(self, model: str, alias: str | None, size_bytes: int | None = None) -> str:
        """The model's name as it will be stored, when an upload under it may begin.

        Args:
            size_bytes: Of the body, as far as its sender says.

        Raises:
            BadInput: The model or the alias cannot be named so.
            BodyTooLarge: Larger than the setting ``upload_bytes_max``.
        """
        if alias is not None:
            checked_alias(alias)
        if size_bytes is not None:
            check_size(size_bytes, self._bytes_max)
        return checked_model_name(model)

    def accept(self, model: str, chunks: Iterable[bytes], *, alias: str | None, allow_mismatch: bool) -> Job:
        """The job that will make a version of these chunks of a zip file; both survive a power cut now.

        Raises:
            As check, receive and submit.
        """
        name = self.check(model, alias)
        received = self._artefacts.receive(chunks, self._bytes_max)
        return self.submit(name, received, alias=alias, allow_mismatch=allow_mismatch)

    async def receive(self, chunks: AsyncIterable[bytes], *, silence_seconds: float = SILENCE_SECONDS) -> Received:
        """An upload as a file on disk; never more than a block of it is in memory, and no thread waits for the sender.

        Args:
            silence_seconds: Longest wait for a chunk.

        Raises:
            BodyTooLarge: Larger than the setting ``upload_bytes_max``.
            MalformedBody: The sender fell silent.
            StorageFull: The disk is full.
        """
        incoming = await asyncio.to_thread(self._artefacts.begin, self._bytes_max)
        try:
            async for block in gathered(chunks, silence_seconds):
                await asyncio.to_thread(incoming.write, block)
            return await asyncio.to_thread(incoming.finish)
        except BaseException:
            incoming.discard()
            raise

    def submit(self, model: str, received: Received, *, alias: str | None, allow_mismatch: bool) -> Job:
        """The job that will make a version of what was received.

        Args:
            model: As check returned it.

        Raises:
            BadModelFolder: It is no zip file, or one that must not be unpacked.
            StorageFull: The disk is full.
            TooManyRequests, DatabaseUnavailable: As JobService.submit.
        """
        try:
            self._artefacts.check(received)
            digest = self._artefacts.keep(received)
        finally:
            received.discard()
        payload = AcceptPayload(
            model=model, digest=digest, size_bytes=received.size_bytes, alias=alias, allow_mismatch=allow_mismatch
        )
        return self._jobs.submit(ACCEPT, model, msgspec.json.encode(payload), queue=QUEUE)

    def sweep(self) -> int:
        """How many artefacts were removed that no version needs; also clears away what was never received whole.

        While a registration is under way nothing is removed: its file may be one that no version needs yet.
        """
        self._artefacts.clear_abandoned(idle_seconds=UNUSED_SECONDS)
        present = self._artefacts.sizes().keys()
        # The order matters: a file is kept before its job is there, and the job is there until its version is.
        if self._is_accepting():
            return 0
        with self._database.reading() as connection:
            needed = store.list_digests(connection)
        return sum(self._artefacts.delete(digest, idle_seconds=UNUSED_SECONDS) for digest in present - needed)

    def _is_accepting(self) -> bool:
        unfinished = (JobState.QUEUED, JobState.RUNNING)
        return any(self._jobs.list_jobs(kind=ACCEPT, state=state, limit=1).items for state in unfinished)
