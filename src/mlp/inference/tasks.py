"""The queued form of a prediction: the same question, asked later, through the same service."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from mlp.errors import MLPError
from mlp.inference.bodies import decode_rows
from mlp.inference.questions import Question, rows_question
from mlp.inference.service import Answer, InferenceService
from mlp.jobs.task import JobContext, task

PREDICT = "inference.predict"


class QueuedQuestion(msgspec.Struct, frozen=True):
    """The payload of a queued prediction: the body as it was accepted, and which version it asks for."""

    model: str
    reference: str | None
    body: str


def predict_together(contexts: Sequence[JobContext], payloads: Sequence[QueuedQuestion]) -> list[Any]:
    """As predict(), for jobs whose questions then go into the same batches; an error in place of an answer."""
    service = cast("InferenceService", contexts[0].stack.inference)
    questions = [_question_or_error(payload) for payload in payloads]
    asked = [question for question in questions if isinstance(question, Question)]
    answers = iter(service.predict_all_blocking(asked))
    return [
        _document(question, next(answers)) if isinstance(question, Question) else question for question in questions
    ]


@task(PREDICT, payload_type=QueuedQuestion, together=predict_together)
def predict(context: JobContext, payload: QueuedQuestion) -> dict[str, Any]:
    """The answer that ``POST …/predict`` would have given, as the job's result."""
    service = cast("InferenceService", context.stack.inference)
    question = _question(payload)
    return service.predict_blocking(question).as_document(question.keys)


def _document(question: Question, answer: Answer | Exception) -> Any:
    return answer if isinstance(answer, Exception) else answer.as_document(question.keys)


def _question_or_error(payload: QueuedQuestion) -> Question | MLPError:
    try:
        return _question(payload)
    except MLPError as error:
        return error


def _question(payload: QueuedQuestion) -> Question:
    body = payload.body.encode()
    return rows_question(payload.model, payload.reference, body, decode_rows(body), "queued")
