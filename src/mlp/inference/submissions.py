"""From the body of a request to the jobs that it offers: one queued prediction, or many in one request.

Refuses now what could never succeed later: a row that does not fit, a key too many, a time of unknown zone.
"""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from mlp.errors import BadInput
from mlp.inference.bodies import RowsBody, decode_as, decode_rows, event_micros, without_conditions
from mlp.inference.loaded_models import LoadedVersion
from mlp.inference.questions import check_keys
from mlp.inference.tasks import PREDICT, QueuedQuestion
from mlp.jobs.idempotency import KEY_CHARACTERS_MAX, fingerprint
from mlp.jobs.job import NewJob
from mlp.jobs.states import Priority, priority_named

_encoder = msgspec.json.Encoder()
T = TypeVar("T")


class BulkBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a bulk submit: what would be the bodies of so many submits."""

    jobs: list[msgspec.Raw]


_bulk_decoder = msgspec.json.Decoder(BulkBody)


@dataclass(frozen=True, slots=True)
class Submission:
    """What a request says besides its body.

    Attributes:
        reference: Version number or alias; None: whatever the model's traffic decides when the job runs.
        origin: What else makes two requests the same, besides their bodies: method, path and query.
        webhook, expires_seconds: For every job that does not say so itself.
    """

    reference: str | None
    idempotency_key: str | None
    origin: tuple[str, ...]
    webhook: str | None = None
    expires_seconds: float | None = None


def new_job(submission: Submission, version: LoadedVersion, body: bytes) -> NewJob:
    """The job that the body of one submit offers.

    Raises:
        BadInput: It is malformed, or does not fit the version's signature.
    """
    key = submission.idempotency_key
    return _new_job(submission, version, body, key, None if key is None else fingerprint(*submission.origin, body))


def new_jobs(submission: Submission, version: LoadedVersion, body: bytes, jobs_max: int) -> list[NewJob]:
    """The jobs that the body of a bulk submit offers, in its order; takes up to seconds, so call it in a thread.

    Each job's own key is the request's with ``/`` and its index. The fingerprint is of the whole body: the same key
    with one job changed, or one more, is another request.

    Raises:
        BadInput: One of them is; ``job`` in the problem document is its index. There are none, or too many.
    """
    parts = decode_as(_bulk_decoder, body, 'the body is not of the form {"jobs": [{"rows": [...]}, ...]}').jobs
    if not 1 <= len(parts) <= jobs_max:
        raise BadInput(f"{len(parts)} jobs in one request: give 1 to {jobs_max}, the setting jobs_bulk_max")
    key = submission.idempotency_key
    whole = None if key is None else fingerprint(*submission.origin, body)
    if key is not None and len(f"{key}/{len(parts) - 1}") > KEY_CHARACTERS_MAX:
        raise BadInput(
            f"the Idempotency-Key has {len(key)} characters: with / and the index of a job behind it, "
            f"it must have at most {KEY_CHARACTERS_MAX}"
        )
    made = []
    for index, part in enumerate(parts):
        own_key = None if key is None else f"{key}/{index}"
        try:
            made.append(_new_job(submission, version, bytes(part), own_key, whole))
        except BadInput as error:
            raise type(error)(f"job {index}: {error.message}", **{**error.extra, "job": index}) from error
    return made


def _new_job(submission: Submission, version: LoadedVersion, body: bytes, key: str | None, same: str | None) -> NewJob:
    parsed = decode_rows(body)
    event_micros(parsed.at)
    check_keys(parsed.keys, len(version.row_reader.read(parsed.rows)))
    question = QueuedQuestion(version.name, submission.reference, without_conditions(body, parsed).decode())
    return NewJob(
        PREDICT,
        version.name,
        _encoder.encode(question),
        priority=Priority.DEFAULT if parsed.priority is None else priority_named(parsed.priority),
        idempotency_key=key,
        fingerprint=same,
        webhook_url=_once("webhook", submission.webhook, parsed.webhook),
        expires_seconds=_once("expires_seconds", submission.expires_seconds, parsed.expires_seconds),
    )


def check_asked_now(parsed: RowsBody) -> None:
    """Return if the body of a prediction that is answered now asks for nothing that only a job can have.

    Raises:
        BadInput: It names a webhook, or when it expires: silence would be taken for a promise.
    """
    if parsed.webhook is not None or parsed.expires_seconds is not None:
        raise BadInput(
            "webhook and expires_seconds are for jobs: submit one at …/jobs, or send the header Prefer: respond-async"
        )


def _once(name: str, of_request: T | None, of_job: T | None) -> T | None:
    if of_request is not None and of_job is not None and of_request != of_job:
        raise BadInput(f"{name} is given twice, in the query and in the body, and differs: give one")
    return of_request if of_job is None else of_job
