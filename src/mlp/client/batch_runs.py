"""A file of rows in, a file of answers out, in one call that may be repeated after any break: it goes on, and not anew.

What is the same run is told by a key made of the file's digest and everything that was asked of it.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mlp.client.batches import Batch, BatchesClient, BatchOptions, query_of
from mlp.client.exchange import error_of_code
from mlp.client.models import ModelsClient
from mlp.clock import new_id
from mlp.errors import BadInput, Conflict

#: Told the batch as it is, now and then.
ReportBatch = Callable[[Batch], None]

_LOOK_SECONDS = 2.0
#: How often one file may fail, or be cancelled, or be answered by an older version, before it is given up.
_RUNS_MAX = 1000


@dataclass(frozen=True, slots=True)
class BatchRun:
    """What became of a run: its batch, and whether that was there already."""

    batch: Batch
    is_continued: bool


def run_batch(
    batches: BatchesClient,
    models: ModelsClient,
    model: str,
    file: Path,
    result: Path,
    options: BatchOptions,
    report: ReportBatch = lambda _batch: None,
) -> BatchRun:
    """The finished batch of a file, its result written; blocks until then.

    A batch of the same file and options that is under way, or has succeeded with the version that would be asked now,
    is gone on with. The result appears whole or not at all.

    Raises:
        mlp.errors.MLPError: Why the batch failed, in the class of its code; Conflict if it was cancelled.
        mlp.errors.BadInput: The file cannot be read, or the result not be written.
    """
    batch, is_continued = _submitted(batches, models, model, file, options)
    while not batch.is_finished:
        report(batch)
        batch = batches.show(batch.id, _LOOK_SECONDS)
    report(batch)
    if batch.error is not None:
        raise error_of_code(batch.error.code, f"batch {batch.id}: {batch.error.detail}", batch_id=batch.id)
    if batch.state != "succeeded":
        raise Conflict(f"batch {batch.id} was {batch.state}: run it again", batch_id=batch.id)
    write_whole(result, batches.result(batch.id))
    return BatchRun(batch, is_continued)


def _submitted(
    batches: BatchesClient, models: ModelsClient, model: str, file: Path, options: BatchOptions
) -> tuple[Batch, bool]:
    """The batch, and whether it was there already."""
    name = _name_of_run(model, file, options)
    wanted_version = models.version(model, options.get("version") or "champion").version
    for number in range(_RUNS_MAX):
        key = f"{name}-{number}"
        known = batches.list(idempotency_key=key, limit=1)
        if not known:
            return batches.submit(model, file, idempotency_key=key, **options), False
        batch = known[0]
        if batch.state == "receiving":
            raise Conflict(
                f"this file is being sent already, or broke off a moment ago: try again in some minutes, "
                f"or first cancel batch {batch.id}",
                batch_id=batch.id,
            )
        if batch.state == "running" or (batch.state == "succeeded" and batch.version == wanted_version):
            return batch, True
    raise Conflict(f"the file has been sent {_RUNS_MAX} times: look at what is wrong with it")


def _name_of_run(model: str, file: Path, options: BatchOptions) -> str:
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from error
    asked = {**query_of(file, options), "model": model, "version": options.get("version"), "file": digest}
    return f"run-{hashlib.sha256(msgspec.json.encode(asked, order='sorted')).hexdigest()[:40]}"


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that appears under its name when it is whole, in place of an older one.

    Raises:
        BadInput: It cannot be written.
    """
    part = path.with_name(f".{path.name}.{new_id()[-12:]}.part")
    try:
        with part.open("xb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
