"""Batch files as HTTP shows them."""

from datetime import datetime

from pydantic import BaseModel, Field

from mlp.batches import batch as values
from mlp.batches.choices import BatchFormat, BatchState, Columns, Policy
from mlp.batches.results import PlacedError
from mlp.clock import now
from mlp.storage.paging import Page


class BatchError(BaseModel):
    """Why a batch failed."""

    code: str
    detail: str
    line: int | None = Field(description="of the file, where a row is at fault")


class Batch(BaseModel):
    """One file, and how far its answers are."""

    id: str
    model: str
    version: str = Field(description="which answers every row; decided when the batch was accepted")
    reference: str | None = Field(description="the alias or number that was asked for; null: the champion")
    format: BatchFormat
    policy: Policy
    columns: Columns
    key: str | None = Field(description="the column or member that holds the key of a row")
    state: BatchState
    bytes: int = Field(description="received so far")
    chunks: int = Field(description="cut so far, each predicted by a job")
    rows: int = Field(description="cut so far; all rows once the state is no longer receiving")
    rows_done: int
    rows_bad: int = Field(description="of the rows that are done, those in whose place the result has a reason")
    rows_per_second: float
    error: BatchError | None
    created_at: datetime
    received_at: datetime | None = Field(description="when the file was there whole")
    finished_at: datetime | None


class BatchList(BaseModel):
    """Some batches, newest first."""

    batches: list[Batch]
    next: str | None = Field(description="the cursor of the next page")


class RowError(BaseModel):
    """One bad row."""

    line: int = Field(description="where the row begins in the file, counted from 1")
    reason: str


class RowErrorList(BaseModel):
    """Some bad rows, in the order of the file."""

    errors: list[RowError]
    next: str | None = Field(description="the cursor of the next page")


def batch_shape(batch: values.Batch) -> Batch:
    """The batch as it is shown."""
    end = now() if batch.finished_at is None else batch.finished_at
    seconds = max(1e-3, (end - batch.created_at).total_seconds())
    error = batch.error
    return Batch(
        id=batch.id,
        model=batch.model,
        version=str(batch.version),
        reference=batch.reference,
        format=batch.options.format,
        policy=batch.options.policy,
        columns=batch.options.columns,
        key=batch.options.key,
        state=batch.state,
        bytes=batch.bytes,
        chunks=batch.chunks,
        rows=batch.rows,
        rows_done=batch.rows_done,
        rows_bad=batch.rows_bad,
        rows_per_second=round(batch.rows_done / seconds, 1),
        error=None if error is None else BatchError(code=error.code, detail=error.detail, line=error.line),
        created_at=batch.created_at,
        received_at=batch.received_at,
        finished_at=batch.finished_at,
    )


def batch_list(page: Page[values.Batch]) -> BatchList:
    """A page of batches as it is shown."""
    return BatchList(batches=[batch_shape(batch) for batch in page], next=page.next)


def error_list(page: Page[PlacedError]) -> RowErrorList:
    """A page of bad rows as it is shown."""
    errors = [RowError(line=each.error.line, reason=each.error.reason) for each in page]
    return RowErrorList(errors=errors, next=page.next)
