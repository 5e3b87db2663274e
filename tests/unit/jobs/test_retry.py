import pytest

from mlp.errors import (
    BadInput,
    EnvironmentMismatch,
    MLPError,
    ModelFailed,
    ModelNotReady,
    StorageFull,
    TooManyRequests,
    UnknownModel,
)
from mlp.jobs.job import JobError
from mlp.jobs.retry import DETAIL_CHARACTERS_MAX, Retry, backoff_seconds, describe, postponement_seconds, retry_after


@pytest.mark.parametrize("error", [BadInput("x"), UnknownModel("x"), EnvironmentMismatch("x")])
def test_retry_of_the_callers_mistake_is_not_worth_it(error: MLPError) -> None:
    assert retry_after(error, 0.0) is Retry.NO


@pytest.mark.parametrize("error", [ModelFailed("x"), OSError(), SystemExit(1)])
def test_retry_of_a_failure_counts(error: BaseException) -> None:
    assert retry_after(error, 0.0) is Retry.COUNTED


@pytest.mark.parametrize("error", [TooManyRequests("x"), StorageFull("x"), ModelNotReady("x")])
def test_retry_of_an_outage_counts_only_after_an_hour(error: MLPError) -> None:
    assert retry_after(error, 3599.0) is Retry.POSTPONED
    assert retry_after(error, 3601.0) is Retry.COUNTED


@pytest.mark.parametrize(
    ("age_seconds", "chance", "seconds"), [(0.0, 0.0, 0.5), (2.0, 1.0, 1.0), (40.0, 0.5, 7.5), (3000.0, 1.0, 60.0)]
)
def test_postponement_grows_with_the_jobs_age(age_seconds: float, chance: float, seconds: float) -> None:
    assert postponement_seconds(age_seconds, chance) == seconds


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [(1, 0.0, 0.5), (1, 1.0, 1.0), (2, 0.0, 1.0), (3, 0.5, 3.0), (7, 1.0, 60.0), (1000, 0.0, 30.0)],
)
def test_backoff_doubles_up_to_a_minute(attempt: int, chance: float, seconds: float) -> None:
    assert backoff_seconds(attempt, chance) == seconds


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (BadInput("no rows"), JobError("bad_input", "no rows")),
        (ValueError("first\nsecond"), JobError("internal", "ValueError: first")),
        (KeyError(), JobError("internal", "KeyError: no message")),
        (OSError("\x00 and \ud800"), JobError("internal", "OSError: \N{REPLACEMENT CHARACTER} and ?")),
    ],
)
def test_describe_says_what_happened(error: Exception, described: JobError) -> None:
    assert describe(error) == described


def test_describe_cuts_endless_text() -> None:
    detail = describe(BadInput("x" * 10_000)).detail

    assert len(detail) == DETAIL_CHARACTERS_MAX
    assert detail.endswith("…")
