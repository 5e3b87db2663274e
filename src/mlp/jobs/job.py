"""A job as values: offered, accepted, claimed by a worker; what it reported and how it went wrong."""

from dataclasses import dataclass, field
from datetime import datetime

from mlp.clock import new_id
from mlp.jobs.states import JobState, Priority

#: Where a job waits unless its submitter says otherwise.
DEFAULT_QUEUE = "default"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total`` steps (None: unknown), and what it is doing."""

    done: int
    total: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job, or its last attempt, failed: a code of mlp.errors and a sentence."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that has not been accepted yet.

    Attributes:
        kind: The task that does it, such as ``registry.accept``.
        payload: The task's input, JSON.
        queue: Workers may be told to take some queues only.
        attempts_max: None: the setting ``job_attempts_max``.
        idempotency_key: Two offers of a tenant with one key are one job.
        fingerprint: What must be equal in two offers with one key; None: kind, model and payload.
        reply_to: The process that waits for the result.
        expires_seconds: A job that has not begun by then has failed; None: it may wait for ever.
        webhook_url: Called when the job has ended.
        id: Made before the row is written, so that even an unclear answer of the database can be looked up.
    """

    kind: str
    model: str | None
    payload: bytes
    queue: str = DEFAULT_QUEUE
    priority: int = Priority.DEFAULT
    attempts_max: int | None = None
    idempotency_key: str | None = None
    fingerprint: str | None = None
    reply_to: str | None = None
    expires_seconds: float | None = None
    webhook_url: str | None = None
    tenant: str = "default"
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job, as its row was when it was read.

    Attributes:
        attempt: How often it was begun; an attempt that a stopping worker gave back does not count.
        started_at: When the latest attempt began.
        result: JSON, once succeeded; None in lists, which leave results out.
        result_digest: SHA-256 of a result that is kept as a file; ``result`` is empty until it is read.
        error: Why it failed; while it waits for another attempt, why the last one failed.
    """

    id: str
    kind: str
    model: str | None
    queue: str
    priority: int
    state: JobState
    attempt: int
    attempts_max: int
    is_cancel_requested: bool
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: Progress | None = None
    result: bytes | None = None
    error: JobError | None = None
    reply_to: str | None = None
    tenant: str = "default"
    result_digest: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether it has succeeded, failed or been cancelled, and will not change any more."""
        return self.state.is_final


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt at a job: this worker's until the lease ends.

    Attributes:
        job: The job as the claim left it.
        lease_token: Fences every write of the attempt: a row with another token is not touched.
        wait_seconds: From acceptance to the start of this attempt, both by the database's clock.
        seconds_max: How long the attempt may take.
    """

    id: str
    kind: str
    model: str | None
    payload: bytes
    attempt: int
    attempts_max: int
    lease_token: str
    wait_seconds: float
    seconds_max: float
    job: Job


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ends its job; a result that is kept as a file has its digest."""

    claim: Claim
    state: JobState
    result: bytes | None = None
    error: JobError | None = None
    progress: Progress | None = None
    digest: str | None = None
