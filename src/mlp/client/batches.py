"""The client's view of batch files: send one, look, wait, read the result piece by piece, cancel."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from mlp.client.exchange import Exchange, Moment, QueryValue, decoded, key_header, moment_text, path_of
from mlp.client.long_poll import until_finished
from mlp.client.models import ModelsClient
from mlp.client.results import AwareTime
from mlp.errors import BadInput

BatchState = Literal["receiving", "running", "succeeded", "failed", "cancelled"]
BatchFormat = Literal["csv", "jsonl", "parquet"]
Policy = Literal["collect", "fail_fast"]
ResultColumns = Literal["prediction", "all"]

_CONTENT_TYPES: dict[str, str] = {
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_FORMATS: dict[str, BatchFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
# Chunks asked for at once: a megabyte or two, so that neither side ever holds much.
_CHUNKS_PER_PIECE = 16
# A server has cut the file up soon after its last byte; in process the whole sending is bounded by this.
_UPLOAD_SECONDS = 120.0
_UPLOAD_BYTES_PER_SECOND = 200_000


@dataclass(frozen=True, slots=True)
class BatchError:
    """Why a batch failed; ``line`` of the file, where a row is at fault."""

    code: str
    detail: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """A bad row: where it begins in the file, and what is wrong with it."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A file on the server, and how far its answers are.

    Attributes:
        version: Answers every row; decided when the batch was accepted.
        rows: Cut so far; all rows once the state is no longer ``receiving``.
        rows_bad: Of ``rows_done``, those in whose place the result has a reason.
        chunks: Pieces that the result is made of.
    """

    id: str
    model: str
    version: str
    format: BatchFormat
    policy: Policy
    state: BatchState
    bytes: int
    chunks: int
    rows: int
    rows_done: int
    rows_bad: int
    rows_per_second: float
    created_at: AwareTime
    reference: str | None = None
    error: BatchError | None = None
    received_at: AwareTime | None = None
    finished_at: AwareTime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has succeeded, failed or been cancelled."""
        return self.state not in ("receiving", "running")


@dataclass(frozen=True, slots=True)
class _BatchPage:
    batches: list[Batch]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _ErrorPage:
    errors: list[RowError]
    next: str | None = None


class BatchOptions(TypedDict, total=False):
    """How a file is read and answered.

    Attributes:
        version: Number or alias; the champion unless given. Decided once, for all rows.
        format: csv, jsonl or parquet; by the name of the file unless given.
        key: Column or member with your own key of each row.
        policy: collect: a bad row is reported in its place; fail_fast: it ends the batch.
        columns: What a row of the result holds: the prediction, or the row of the file before it.
        delimiter: Between the cells of a CSV; by the name of the file (.tsv), else a comma.
        missing: Texts of a CSV that mean a missing value, such as NA.
        ignore_extra: Leave out what is no input of the model.
        at: When what the rows are about happened, for backfills; now unless given.
    """

    version: str | None
    format: BatchFormat | None
    key: str | None
    policy: Policy
    columns: ResultColumns
    delimiter: str | None
    missing: Sequence[str]
    ignore_extra: bool
    at: Moment | None


def query_of(path: Path, options: BatchOptions) -> dict[str, QueryValue]:
    """The parameters of the request that sends a file.

    Raises:
        BadInput: The format is not known, or a text that means missing holds a comma, which stands between them.
    """
    missing, at, delimiter = options.get("missing", ()), options.get("at"), options.get("delimiter")
    for text in missing:
        if "," in text:
            raise BadInput(f'missing: "{text}" holds a comma, which no such text may')
    is_tab_separated = delimiter is None and path.suffix.lower() == ".tsv"
    return {
        "format": _format_of(path, options),
        "policy": options.get("policy", "collect"),
        "columns": options.get("columns", "prediction"),
        "key": options.get("key"),
        "delimiter": "\t" if is_tab_separated else delimiter,
        "missing": ",".join(missing) if missing else None,
        "ignore_extra": options.get("ignore_extra", False),
        "at": None if at is None else moment_text(at),
    }


def _format_of(path: Path, options: BatchOptions) -> BatchFormat:
    named = options.get("format")
    found = _FORMATS.get(path.suffix.lower()) if named is None else named
    if found is None:
        raise BadInput(f"{path} ends in none of {', '.join(_FORMATS)}: say whether it is csv, jsonl or parquet")
    return found


class BatchesClient:
    """Batch files of one server; ``client.batches``."""

    def __init__(self, exchange: Exchange, models: ModelsClient) -> None:
        self._exchange = exchange
        self._models = models

    def run(self, model: str, file: str | Path, result: str | Path, **options: Unpack[BatchOptions]) -> Batch:
        """The finished batch of a file, its result written into another one; blocks until then.

        Broken off and called again with the same file it goes on with what the server has. Look at ``rows_bad``.

        Args:
            result: Appears whole or not at all, in place of an older file.

        Raises:
            mlp.errors.MLPError: Why the batch failed, in the class of its code; Conflict if it was cancelled.
            mlp.errors.BadInput: The file cannot be read or answered, or the result not be written.
        """
        from mlp.client.batch_runs import run_batch

        return run_batch(self, self._models, model, Path(file), Path(result), options).batch

    def submit(
        self, model: str, file: str | Path, *, idempotency_key: str | None = None, **options: Unpack[BatchOptions]
    ) -> Batch:
        """The batch of a file, which has arrived whole and will be answered, whatever happens to the server.

        Args:
            file: A path; of any size, it is streamed.
            idempotency_key: The same file sent again with it is the same batch.

        Raises:
            mlp.errors.UnknownModel: There is no such model; likewise UnknownVersion.
            mlp.errors.BadInput: The file cannot be read, or as a whole not be answered: a column is lacking, say.
            mlp.errors.IdempotencyKeyReused: The key belongs to another file.
        """
        path, version = Path(file), options.get("version")
        route = path_of("v1", "models", model, *(() if version is None else ("versions", version)), "batches")
        query = query_of(path, options)
        try:
            body = path.open("rb")
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}") from error
        with body:
            size_bytes = os.fstat(body.fileno()).st_size
            sent = {"Content-Type": _CONTENT_TYPES[_format_of(path, options)], "Content-Length": str(size_bytes)}
            headers = {**sent, **key_header(idempotency_key)}
            timeout_seconds = _UPLOAD_SECONDS + size_bytes / _UPLOAD_BYTES_PER_SECOND
            response = self._exchange.send("POST", route, query, body, headers, timeout_seconds)
        return decoded(response, Batch, f"POST {route}")

    def show(self, batch_id: str, wait_seconds: float = 0) -> Batch:
        """The batch as it is, after having waited up to ``wait_seconds`` (0 to 60) for its end.

        Raises:
            mlp.errors.UnknownBatch: There is no such batch, or not any more.
        """
        return self._exchange.call(
            Batch,
            "GET",
            path_of("v1", "batches", batch_id),
            query={"wait": wait_seconds if wait_seconds else None},
            timeout_seconds=wait_seconds + self._exchange.timeout_seconds,
        )

    def wait(self, batch_id: str, timeout_seconds: float = 86_400.0) -> Batch:
        """The finished batch: succeeded, failed or cancelled; blocks until then.

        Raises:
            mlp.errors.DeadlineExceeded: It did not finish within ``timeout_seconds``; it goes on, ask again.
        """
        return until_finished(lambda seconds: self.show(batch_id, seconds), f"batch {batch_id}", timeout_seconds)

    def result(self, batch_id: str, *, partial: bool = False) -> Iterator[bytes]:
        """The result file piece by piece, in the order of the rows; a megabyte or two at a time.

        Args:
            partial: Of a batch that has not succeeded, what there is of it.

        Raises:
            mlp.errors.Conflict: It has not succeeded.
            mlp.errors.UnknownBatch: There is no such batch, or not any more.
        """
        chunks = self.show(batch_id).chunks
        path = path_of("v1", "batches", batch_id, "result")
        for first in range(0, max(1, chunks), _CHUNKS_PER_PIECE):
            query = {"partial": partial, "from_chunk": first, "chunks": _CHUNKS_PER_PIECE}
            yield self._exchange.send("GET", path, query).body

    def errors(self, batch_id: str, *, limit: int | None = 50) -> list[RowError]:
        """The bad rows found so far, in the order of the file; at most ``limit``, None for all."""
        pages = self._exchange.pages(_ErrorPage, path_of("v1", "batches", batch_id, "errors"), {}, limit)
        return [error for page in pages for error in page.errors]

    def cancel(self, batch_id: str) -> Batch:
        """The cancelled batch; what is done of it can be read with ``partial``.

        Raises:
            mlp.errors.JobFinished: It has ended already.
        """
        return self._exchange.call(Batch, "DELETE", path_of("v1", "batches", batch_id))

    def list(
        self,
        *,
        model: str | None = None,
        state: BatchState | None = None,
        idempotency_key: str | None = None,
        limit: int | None = 50,
    ) -> "list[Batch]":
        """Batches, newest first; at most ``limit``, None for all."""
        query = {"model": model, "state": state, "idempotency_key": idempotency_key}
        pages = self._exchange.pages(_BatchPage, "/v1/batches", query, limit)
        return [batch for page in pages for batch in page.batches]
