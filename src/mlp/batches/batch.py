"""A batch file as values: how it is to be read, what became of it, and how far it is."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from mlp.batches.choices import BatchFormat, BatchState, Columns, Policy
from mlp.clock import new_id


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a file are read and answered.

    Attributes:
        key: The column or member that holds the key of a row; None: rows have none.
        delimiter: Between the cells of a CSV.
        missing: Texts of a CSV that mean a missing value, besides the empty cell.
        ignore_extra: Columns of a CSV that are no inputs are left out.
        at: When what the rows are about happened, RFC 3339; None: when they are predicted.
    """

    format: BatchFormat = BatchFormat.CSV
    policy: Policy = Policy.COLLECT
    columns: Columns = Columns.PREDICTION
    key: str | None = None
    delimiter: str = ","
    missing: tuple[str, ...] = ()
    ignore_extra: bool = False
    at: str | None = None


@dataclass(frozen=True, slots=True)
class BatchError:
    """Why a batch failed: a code of mlp.errors, a sentence, and the line of the file where it is a row's fault."""

    code: str
    detail: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """One bad row: the line where it begins, counted from 1, and what is wrong with it."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch whose file is about to be received.

    Attributes:
        reference: What the caller named: a number or an alias; None: the champion.
        version: What that was when the batch was accepted; every chunk is answered by it.
    """

    model: str
    reference: str | None
    version: int
    options: Options
    idempotency_key: str | None = None
    tenant: str = "default"
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, as its row was when it was read.

    Attributes:
        header: Columns of the file, a CSV's; None before they are known, and for JSON lines.
        result_header: The first line of the result, empty where it has none.
        chunks: Chunks that were cut so far; ``rows`` and ``bytes`` likewise.
        rows_done: Rows whose answers are there.
        rows_bad: Of these, rows that were bad.
        fingerprint: Of the file and the options, once the file was received whole.
        touched_at: When it was last heard of its sender.
    """

    id: str
    tenant: str
    model: str
    reference: str | None
    version: int
    options: Options
    state: BatchState
    header: tuple[str, ...] | None
    result_header: str
    chunks: int
    rows: int
    bytes: int
    rows_done: int
    rows_bad: int
    idempotency_key: str | None
    fingerprint: str | None
    error: BatchError | None
    created_at: datetime
    touched_at: datetime
    received_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewChunk:
    """One chunk of a file: its place, the job that predicts it, and what that job is given."""

    number: int
    job_id: str
    first_line: int
    rows: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """One chunk as the result needs it: its number and its job, and how many of its rows were bad."""

    number: int
    job_id: str
    rows: int
    rows_bad: int
    has_succeeded: bool


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a chunk's job: all that is needed to answer its rows, so that it stands alone.

    Attributes:
        lines: The line of the file where each row begins, from 1.
        rows: The cells of a row of a CSV, the text of a JSON line, or None for a row that could not be read.
        faults: Why a row could not be read, by its index.
    """

    batch: str
    number: int
    model: str
    version: str
    options: Options
    header: tuple[str, ...] | None
    lines: list[int]
    rows: list[list[str] | str | None]
    faults: dict[int, str] = {}  # msgspec copies it for each


class ChunkResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a chunk's job.

    Attributes:
        text: Its part of the result file, a line or more for each row, without the header.
        errors: Its bad rows: line and reason.
    """

    text: str
    rows: int
    errors: list[tuple[int, str]]


def options_json(options: Options) -> dict[str, Any]:
    """What the column ``options`` holds."""
    document: dict[str, Any] = msgspec.to_builtins(options)
    return document
