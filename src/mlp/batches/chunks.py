"""Gathers the rows of a file into chunks, each the payload of one job."""

import msgspec

from mlp.batches.batch import Batch, Chunk, NewChunk
from mlp.batches.file_reader import FileRow
from mlp.clock import new_id

#: A chunk of long rows is cut earlier: its payload and its result are each held in memory whole.
CHUNK_BYTES_MAX = 4 * 2**20


class ChunkCutter:
    """Makes the chunks of one batch, in the file's order; holds the rows of one at most.

    Args:
        header: The columns of a CSV.
    """

    def __init__(self, batch: Batch, header: tuple[str, ...] | None, *, rows_max: int) -> None:
        self._batch = batch
        self._header = header
        self._rows_max = rows_max
        self._rows: list[FileRow] = []
        self._size_bytes = 0
        self.count = 0

    def add(self, row: FileRow) -> NewChunk | None:
        """The chunk that this row completes; None while it is not full."""
        self._rows.append(row)
        self._size_bytes += row.size_bytes
        is_full = len(self._rows) >= self._rows_max or self._size_bytes >= CHUNK_BYTES_MAX
        return self._cut() if is_full else None

    def end(self) -> NewChunk | None:
        """The last chunk; None if there are no rows left."""
        return self._cut() if self._rows else None

    def _cut(self) -> NewChunk:
        rows, self._rows, self._size_bytes = self._rows, [], 0
        number, self.count = self.count, self.count + 1
        payload = Chunk(
            batch=self._batch.id,
            number=number,
            model=self._batch.model,
            version=str(self._batch.version),
            options=self._batch.options,
            header=self._header,
            lines=[row.line for row in rows],
            rows=[row.content for row in rows],
            faults={index: row.fault for index, row in enumerate(rows) if row.fault is not None},
        )
        return NewChunk(number, new_id(), rows[0].line, len(rows), msgspec.json.encode(payload))
