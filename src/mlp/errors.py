"""Every error that MLP raises on purpose: one tree, a stable code and an HTTP status each.

    MLPError                          500 internal
    ├── BadInput                      400 bad_input          the caller's payload
    │   ├── MalformedBody             400 malformed_body
    │   ├── SignatureMismatch         400 signature_mismatch
    │   ├── UploadIncomplete          400 upload_incomplete
    │   ├── UnsupportedFormat         415 unsupported_format
    │   └── BodyTooLarge              413 body_too_large
    ├── UnknownName                   404 not_found
    │   ├── UnknownModel              404 unknown_model
    │   ├── UnknownVersion            404 unknown_version
    │   ├── UnknownJob                404 unknown_job
    │   ├── UnknownBatch              404 unknown_batch
    │   ├── UnknownInference          404 unknown_inference
    │   ├── UnknownWorker             404 unknown_worker
    │   ├── UnknownQueue              404 unknown_queue
    │   └── UnknownRuntime            400 unknown_runtime
    ├── Conflict                      409 conflict           right in form, wrong in this state
    │   ├── VersionInUse              409 version_in_use
    │   ├── NothingToRollBack         409 nothing_to_roll_back
    │   ├── JobFinished               409 job_finished
    │   ├── JobExpired                409 job_expired        not begun before its last moment
    │   └── IdempotencyKeyReused      422 idempotency_key_reused
    ├── VersionRefused                422 version_refused    a version that cannot be served
    │   ├── BadModelFolder            422 bad_model_folder
    │   ├── EnvironmentMismatch       422 environment_mismatch
    │   ├── AcceptanceFailed          422 acceptance_failed
    │   ├── CannotCapture             422 cannot_capture
    │   ├── ArtefactCorrupt           422 artefact_corrupt
    │   └── MissingExtra              422 missing_extra
    ├── Unauthorised                  401 unauthorised
    ├── Unavailable                   503 unavailable        later it may work; carries Retry-After
    │   ├── ModelNotReady             503 model_not_ready
    │   ├── TooManyRequests           429 too_many_requests
    │   ├── DeadlineExceeded          503 deadline_exceeded
    │   ├── DatabaseUnavailable       503 database_unavailable
    │   ├── RecordingUnavailable      503 recording_unavailable
    │   ├── StorageFull               507 storage_full
    │   └── ServerUnreachable         503 server_unreachable
    ├── ModelFailed                   500 model_failed       own code raised while predicting
    ├── JobTimedOut                   500 job_timed_out      an attempt that took longer than it may
    ├── FolderInUse                   409 folder_in_use
    ├── ConfigurationInvalid          500 configuration_invalid
    └── SchemaOutdated                500 schema_outdated

A message says what happened, the value, and what to do. ``extra`` travels as members of the problem document.
"""

from typing import Any, ClassVar


class MLPError(Exception):
    """Base of the tree: what happened, in one sentence that names the value and the remedy.

    Args:
        message: Shown to the user as it is.
        extra: Members added to the problem document (RFC 9457 section 3.2); JSON values only.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class BadInput(MLPError):
    code, status, title = "bad_input", 400, "Bad input"


class MalformedBody(BadInput):
    code, title = "malformed_body", "Malformed body"


class SignatureMismatch(BadInput):
    code, title = "signature_mismatch", "Input does not fit the model's signature"


class UploadIncomplete(BadInput):
    code, title = "upload_incomplete", "Upload broke off"


class UnsupportedFormat(BadInput):
    code, status, title = "unsupported_format", 415, "Format not supported"


class BodyTooLarge(BadInput):
    code, status, title = "body_too_large", 413, "Body too large"


class UnknownName(MLPError):
    code, status, title = "not_found", 404, "Not found"


class UnknownModel(UnknownName):
    code, title = "unknown_model", "Unknown model"


class UnknownVersion(UnknownName):
    code, title = "unknown_version", "Unknown version"


class UnknownJob(UnknownName):
    code, title = "unknown_job", "Unknown job"


class UnknownBatch(UnknownName):
    code, title = "unknown_batch", "Unknown batch"


class UnknownInference(UnknownName):
    code, title = "unknown_inference", "Unknown inference"


class UnknownWorker(UnknownName):
    code, title = "unknown_worker", "Unknown worker"


class UnknownQueue(UnknownName):
    code, title = "unknown_queue", "Unknown queue"


class UnknownRuntime(UnknownName):
    code, status, title = "unknown_runtime", 400, "Unknown runtime"


class Conflict(MLPError):
    code, status, title = "conflict", 409, "Conflict"


class VersionInUse(Conflict):
    code, title = "version_in_use", "Version in use"


class NothingToRollBack(Conflict):
    code, title = "nothing_to_roll_back", "Nothing to roll back to"


class JobFinished(Conflict):
    code, title = "job_finished", "Job already finished"


class JobExpired(Conflict):
    code, title = "job_expired", "Job expired before it was begun"


class IdempotencyKeyReused(Conflict):
    code, status, title = "idempotency_key_reused", 422, "Idempotency key reused with another body"


class VersionRefused(MLPError):
    code, status, title = "version_refused", 422, "Version refused"


class BadModelFolder(VersionRefused):
    code, title = "bad_model_folder", "Bad model folder"


class EnvironmentMismatch(VersionRefused):
    code, title = "environment_mismatch", "Trained with other versions"


class AcceptanceFailed(VersionRefused):
    code, title = "acceptance_failed", "Acceptance run failed"


class CannotCapture(VersionRefused):
    code, title = "cannot_capture", "Code that cannot be captured"


class ArtefactCorrupt(VersionRefused):
    code, title = "artefact_corrupt", "Artefact corrupt"


class MissingExtra(VersionRefused):
    code, title = "missing_extra", "Framework not installed"


class Unauthorised(MLPError):
    code, status, title = "unauthorised", 401, "Key missing or wrong"


class Unavailable(MLPError):
    """Not now; ``retry_after_seconds`` becomes the Retry-After header (RFC 9110 section 10.2.3)."""

    code, status, title = "unavailable", 503, "Unavailable"

    def __init__(self, message: str, *, retry_after_seconds: int = 1, **extra: Any) -> None:
        super().__init__(message, **extra)
        self.retry_after_seconds = retry_after_seconds


class ModelNotReady(Unavailable):
    code, title = "model_not_ready", "Model not ready"


class TooManyRequests(Unavailable):
    code, status, title = "too_many_requests", 429, "Too many requests"


class DeadlineExceeded(Unavailable):
    code, title = "deadline_exceeded", "Deadline exceeded"


class DatabaseUnavailable(Unavailable):
    code, title = "database_unavailable", "Database unavailable"


class RecordingUnavailable(Unavailable):
    code, title = "recording_unavailable", "Recording unavailable"


class StorageFull(Unavailable):
    code, status, title = "storage_full", 507, "Disk full"


class ServerUnreachable(Unavailable):
    code, title = "server_unreachable", "Server unreachable"


class ModelFailed(MLPError):
    code, status, title = "model_failed", 500, "The model's code failed"


class JobTimedOut(MLPError):
    code, status, title = "job_timed_out", 500, "The attempt took too long"


class FolderInUse(MLPError):
    code, status, title = "folder_in_use", 409, "Folder in use"


class ConfigurationInvalid(MLPError):
    code, status, title = "configuration_invalid", 500, "Configuration invalid"


class SchemaOutdated(MLPError):
    code, status, title = "schema_outdated", 500, "Database schema outdated"


def all_error_classes() -> dict[str, type[MLPError]]:
    """Every class of the tree by its code; the client and the reference page read it."""
    found: dict[str, type[MLPError]] = {}
    waiting: list[type[MLPError]] = [MLPError]
    while waiting:
        error_class = waiting.pop()
        found[error_class.code] = error_class
        waiting.extend(error_class.__subclasses__())
    return found
