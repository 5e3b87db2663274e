"""Reads the results of a batch's chunks in the file's order: the result file piece by piece, and its bad rows."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from mlp.batches import store
from mlp.batches.batch import Batch, ChunkPlace, ChunkResult, RowError
from mlp.clock import monotonic
from mlp.errors import DatabaseUnavailable, Unavailable, UnknownBatch, UnknownJob
from mlp.jobs.service import JobService
from mlp.storage.database import Database

#: Places of chunks read at once; their results are read one by one.
_CHUNKS_PER_QUERY = 200
#: How long a result that is being sent waits for a database that is away, before the connection is broken off.
_PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.5


class PlacedError(NamedTuple):
    """A bad row with its place in the list of them."""

    chunk: int
    place: int
    error: RowError


class Results:
    """The results of one database's batches; holds one chunk's in memory at a time."""

    def __init__(self, database: Database, jobs: JobService) -> None:
        self._database = database
        self._jobs = jobs

    def check(self, batch: Batch, first_chunk: int) -> None:
        """Return if the answers of that chunk, or of the first one behind it, are there.

        Raises:
            UnknownBatch: They were deleted.
        """
        for place in self._read_places(batch.id, first_chunk, only_bad=False, limit=1):
            if not place.has_succeeded:
                raise _deleted(place)

    def texts(
        self, batch: Batch, *, is_partial: bool, first_chunk: int = 0, chunks_max: int | None = None
    ) -> Iterator[str]:
        """The parts of the result file of the chunks that are done, the header before the first; each of them blocks.

        Raises:
            UnknownBatch: Answers of a batch that has succeeded were deleted: no row is left out without a word.
            DatabaseUnavailable: It stayed away.
        """
        if first_chunk == 0:
            yield batch.result_header
        end = batch.chunks if chunks_max is None else min(batch.chunks, first_chunk + chunks_max)
        for place in self._places(batch, first_chunk, end, only_bad=False):
            if place.has_succeeded:
                yield self._result(place).text
            elif not is_partial:
                raise _deleted(place)

    def errors(self, batch: Batch, *, after: tuple[int, int] | None, limit: int) -> list[PlacedError]:
        """Bad rows in the file's order, at most ``limit``.

        Args:
            after: Chunk and index of the last one of the page before.
        """
        first_chunk = 0 if after is None else after[0]
        found: list[PlacedError] = []
        for place in self._places(batch, first_chunk, batch.chunks, only_bad=True):
            if not place.has_succeeded:
                continue
            for index, (line, reason) in enumerate(self._result(place).errors):
                if after is None or (place.number, index) > after:
                    found.append(PlacedError(place.number, index, RowError(line, reason)))
            if len(found) >= limit:
                break
        return found[:limit]

    def _places(self, batch: Batch, first_chunk: int, end: int, *, only_bad: bool) -> Iterator[ChunkPlace]:
        """The places from ``first_chunk`` to before ``end``, whose numbers follow one another."""
        next_number = first_chunk
        while next_number < end:
            limit = min(_CHUNKS_PER_QUERY, end - next_number)
            places = self._read_places(batch.id, next_number, only_bad=only_bad, limit=limit)
            yield from places
            if len(places) < limit:
                return
            next_number = places[-1].number + 1

    def _read_places(self, batch_id: str, from_number: int, *, only_bad: bool, limit: int) -> list[ChunkPlace]:
        deadline = monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with self._database.reading() as connection:
                    return store.list_chunks(
                        connection, batch_id, from_number=from_number, limit=limit, only_bad=only_bad
                    )
            except DatabaseUnavailable:
                if monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _result(self, place: ChunkPlace) -> ChunkResult:
        deadline = monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                job = self._jobs.get(place.job_id)
            except UnknownJob as error:
                raise _deleted(place) from error
            except Unavailable:
                if monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                assert job.result is not None, "a job that has succeeded has a result"
                return msgspec.json.decode(job.result, type=ChunkResult)


def _deleted(place: ChunkPlace) -> UnknownBatch:
    return UnknownBatch(f"the answers of chunk {place.number} were deleted, their time was over: send the file again")
