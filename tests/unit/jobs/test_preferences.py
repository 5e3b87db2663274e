"""The Prefer header, by the grammar of RFC 7240 section 2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.jobs.preferences import Preferences, parse_preferences


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Preferences()),
        ("", Preferences()),
        ("respond-async", Preferences(is_async=True)),
        ("Respond-Async, wait=5", Preferences(is_async=True, wait_seconds=5)),
        ('wait="10";why=none ; other , respond-async;', Preferences(is_async=True, wait_seconds=10)),
        (" , ,respond-async", Preferences(is_async=True)),
        ("wait = 7", Preferences(wait_seconds=7)),
        ('note="a, respond-async"', Preferences()),
        ("respond-asynchronously", Preferences()),
        ("handling=lenient; respond-async", Preferences()),  # a parameter of another preference
    ],
)
def test_header_is_read_by_its_grammar(header: str | None, expected: Preferences) -> None:
    assert parse_preferences(header) == expected


def test_first_of_two_counts() -> None:
    assert parse_preferences("wait=5, wait=9").wait_seconds == 5


def test_long_wait_is_that_of_a_proxy() -> None:
    assert parse_preferences("wait=3600").wait_seconds == 60


@pytest.mark.parametrize("header", ["wait", "wait=-1", "wait=soon", "wait=1.5", "wait=99999999999"])
def test_wait_that_is_no_number_of_seconds_is_ignored(header: str) -> None:
    assert parse_preferences(header) == Preferences()


def test_malformed_preference_does_not_hide_the_next_one() -> None:
    assert parse_preferences("x(, respond-async").is_async


@pytest.mark.parametrize("unit", [";  ", " \t", '"', "(,", "a,", '\\"', "a ;b=c"])
def test_header_of_any_length_takes_no_long_time(unit: str) -> None:
    # Exponential or quadratic, this would not end within the time of a test.
    assert not parse_preferences("a" + unit * (60_000 // len(unit)) + "(").is_async


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    wait_seconds = parse_preferences(header).wait_seconds

    assert wait_seconds is None or 0 <= wait_seconds <= 60


@pytest.mark.parametrize(
    ("preferences", "applied"),
    [
        (Preferences(), ""),
        (Preferences(is_async=True), "respond-async"),
        (Preferences(is_async=True, wait_seconds=5), "respond-async, wait=5"),
        (Preferences(wait_seconds=0), "wait=0"),
    ],
)
def test_applied_preferences_are_named(preferences: Preferences, applied: str) -> None:
    assert preferences.applied == applied
