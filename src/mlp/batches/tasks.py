"""The job of one chunk of a batch file."""

from typing import cast

from mlp.batches import metrics
from mlp.batches.answering import ChunkAnswers
from mlp.batches.batch import BatchError, Chunk, ChunkResult, RowError
from mlp.batches.choices import Policy
from mlp.batches.reception import PREDICT
from mlp.batches.service import BatchService
from mlp.errors import SignatureMismatch
from mlp.inference.service import InferenceService
from mlp.jobs.task import JobContext, JobStopped, StopReason, task
from mlp.registry.service import RegistryService


@task(PREDICT, payload_type=Chunk)
def predict(context: JobContext, chunk: Chunk) -> ChunkResult:
    """The chunk's part of the result file, with its bad rows.

    Raises:
        SignatureMismatch: A row is bad, and the batch is one that fails then; it has failed now.
        JobStopped: The batch has ended already.
    """
    batches = cast("BatchService", context.stack.batches)
    if batches.has_ended(chunk.batch):
        raise JobStopped(StopReason.CANCELLED)
    registry = cast("RegistryService", context.stack.registry)
    answers = ChunkAnswers(chunk, registry.resolve(chunk.model, chunk.version).signature)
    _check(batches, chunk, answers.errors)

    def before_each(rows_done: int) -> None:
        context.check_cancelled()
        context.progress(rows_done, len(chunk.rows))

    inference = cast("InferenceService", context.stack.inference)
    answers.ask(inference.predict_blocking, rows_max=batches.call_rows_max, before_each=before_each)
    errors = answers.errors
    _check(batches, chunk, errors)
    if errors:
        batches.note_bad_rows(chunk.batch, chunk.number, len(errors))
    metrics.rows.labels("bad").inc(len(errors))
    metrics.rows.labels("answered").inc(len(chunk.rows) - len(errors))
    return answers.result()


def _check(batches: BatchService, chunk: Chunk, errors: list[RowError]) -> None:
    """Return if the batch goes on with these bad rows."""
    if errors and chunk.options.policy is Policy.FAIL_FAST:
        first = errors[0]
        detail = f"line {first.line}: {first.reason}"
        batches.fail(chunk.batch, BatchError(SignatureMismatch.code, detail, first.line))
        raise SignatureMismatch(detail)
