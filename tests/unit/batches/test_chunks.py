from collections.abc import Sequence

import msgspec

from mlp.batches import chunks
from mlp.batches.batch import Batch, Chunk, NewChunk, Options
from mlp.batches.choices import BatchState
from mlp.batches.chunks import ChunkCutter
from mlp.batches.file_reader import FileRow
from mlp.clock import now

BATCH = Batch(
    id="b1",
    tenant="default",
    model="churn",
    reference=None,
    version=3,
    options=Options(key="id"),
    state=BatchState.RECEIVING,
    header=None,
    result_header="",
    chunks=0,
    rows=0,
    bytes=0,
    rows_done=0,
    rows_bad=0,
    idempotency_key=None,
    fingerprint=None,
    error=None,
    created_at=now(),
    touched_at=now(),
    received_at=None,
    finished_at=None,
)


def cut(rows: Sequence[FileRow], rows_max: int) -> list[NewChunk]:
    cutter = ChunkCutter(BATCH, ("id", "x"), rows_max=rows_max)
    found = [chunk for row in rows if (chunk := cutter.add(row)) is not None]
    last = cutter.end()
    return found if last is None else [*found, last]


def test_chunks_hold_the_rows_in_order_and_stand_alone() -> None:
    rows = [FileRow(number + 2, [str(number), "1"], None, 4) for number in range(5)]
    rows[3] = FileRow(5, None, "expected 2 cells, got 1", 4)

    found = cut(rows, 2)

    assert [(chunk.number, chunk.first_line, chunk.rows) for chunk in found] == [(0, 2, 2), (1, 4, 2), (2, 6, 1)]
    second = msgspec.json.decode(found[1].payload, type=Chunk)
    assert (second.batch, second.model, second.version, second.number) == ("b1", "churn", "3", 1)
    assert (second.header, second.options.key) == (("id", "x"), "id")
    assert (second.lines, second.rows) == ([4, 5], [["2", "1"], None])
    assert second.faults == {1: "expected 2 cells, got 1"}


def test_chunk_of_long_rows_is_cut_earlier() -> None:
    rows = [FileRow(number, "{}", None, chunks.CHUNK_BYTES_MAX // 2) for number in range(1, 6)]

    assert [chunk.rows for chunk in cut(rows, 1000)] == [2, 2, 1]


def test_file_that_ends_with_a_full_chunk_has_no_empty_one() -> None:
    rows = [FileRow(number, "{}", None, 2) for number in range(1, 5)]

    assert [chunk.rows for chunk in cut(rows, 2)] == [2, 2]
