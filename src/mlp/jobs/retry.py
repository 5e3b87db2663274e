"""What is worth another attempt, after how long, and how a failure is told to the job's owner."""

from enum import StrEnum

from mlp.errors import JobTimedOut, MLPError, Unavailable
from mlp.jobs.job import JobError

#: The first pause, doubled with each attempt, up to the longest one: a passing fault is over in seconds, and a long
#: one is tried about once a minute.
BACKOFF_BASE_SECONDS = 1.0
BACKOFF_SECONDS_MAX = 60.0
#: How long after its acceptance a job may be put off because something it needs is away; then attempts are counted.
POSTPONED_SECONDS_MAX = 3600.0
DETAIL_CHARACTERS_MAX = 2000
TIMED_OUT = JobError(
    JobTimedOut.code,
    "the attempt took longer than it may: give the job less to do, or raise MLP_JOB_SECONDS_MAX",
)


class Retry(StrEnum):
    """Whether the same job may fare better later."""

    NO = "no"
    COUNTED = "counted"
    POSTPONED = "postponed"


def retry_after(error: BaseException, age_seconds: float) -> Retry:
    """What follows a failed attempt at a job that was accepted ``age_seconds`` ago.

    Not another attempt when the job's input, or the state that it met, is at fault. When something it needs is away
    (a model that is being loaded, a database) the job is put off, for up to an hour, without counting: what was
    accepted must not fail because of an outage of seconds.
    """
    if isinstance(error, Unavailable) and age_seconds < POSTPONED_SECONDS_MAX:
        return Retry.POSTPONED
    if isinstance(error, MLPError) and error.status < 500 and not isinstance(error, Unavailable):
        return Retry.NO
    return Retry.COUNTED


def backoff_seconds(attempt: int, chance: float, base_seconds: float = BACKOFF_BASE_SECONDS) -> float:
    """The pause after a failed attempt (1, 2, …): half of it fixed, half by chance in [0, 1).

    Source: "equal jitter" of M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015: jobs that
    failed together do not come back together.
    """
    longest_seconds = min(BACKOFF_SECONDS_MAX, base_seconds * 2.0 ** min(attempt - 1, 30))
    return longest_seconds * (0.5 + 0.5 * chance)


def postponement_seconds(age_seconds: float, chance: float, base_seconds: float = BACKOFF_BASE_SECONDS) -> float:
    """The pause of a job that is put off: about a fifth of its age, between the shortest and the longest backoff."""
    longest_seconds = min(BACKOFF_SECONDS_MAX, max(base_seconds, age_seconds / 4))
    return longest_seconds * (0.5 + 0.5 * chance)


def describe(error: BaseException) -> JobError:
    """The error as the job's owner reads it: one of ours word for word, another with its type and first line."""
    if isinstance(error, MLPError):
        return JobError(error.code, _storable(error.message))
    lines = str(error).strip().splitlines()
    first_line = lines[0] if lines else "no message"
    return JobError(MLPError.code, _storable(f"{type(error).__name__}: {first_line}"))


def _storable(text: str) -> str:
    """The text without what PostgreSQL's jsonb refuses (zero bytes, lone surrogates), and not endless."""
    cut = text if len(text) <= DETAIL_CHARACTERS_MAX else text[: DETAIL_CHARACTERS_MAX - 1] + "…"
    return cut.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
