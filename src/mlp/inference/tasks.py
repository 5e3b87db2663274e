"""The queued form of a prediction: the same question, asked later, through the same service."""

from typing import Any, cast

import msgspec

from mlp.inference.bodies import decode_rows
from mlp.inference.questions import rows_question
from mlp.inference.service import InferenceService
from mlp.jobs.task import JobContext, task

PREDICT = "inference.predict"


class QueuedQuestion(msgspec.Struct, frozen=True):
    """The payload of a queued prediction: the body as it was accepted, and which version it asks for."""

    model: str
    reference: str | None
    body: str


@task(PREDICT, payload_type=QueuedQuestion)
def predict(context: JobContext, payload: QueuedQuestion) -> dict[str, Any]:
    """The answer that ``POST …/predict`` would have given, as the job's result."""
    service = cast("InferenceService", context.stack.inference)
    body = payload.body.encode()
    parsed = decode_rows(body)
    answer = service.predict_blocking(rows_question(payload.model, payload.reference, body, parsed, "queued"))
    return answer.as_document(parsed.keys)
