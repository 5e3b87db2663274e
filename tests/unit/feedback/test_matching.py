"""What a label means for its inference."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlp.feedback.matching import FeedbackState, Ledger, Parked, judge
from mlp.inference.outcomes import Target

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def verdict(label: Any, *, at: datetime = NOON + HOUR, known: Any = None, known_at: datetime | None = None) -> Any:
    return judge(
        label=label, label_at=at, known_label=known, known_at=known_at, predicted_at=NOON, horizon_seconds=86_400
    )


def test_judge_first_label_matches_with_its_delay() -> None:
    found = verdict(True)

    assert (found.state, found.counts, found.delay_seconds, found.is_late) == (FeedbackState.MATCHED, True, 3600, False)


def test_judge_same_label_again_is_repeated_and_counts_nothing() -> None:
    found = verdict(True, known=True, known_at=NOON + HOUR)

    assert (found.state, found.counts) == (FeedbackState.REPEATED, False)


@pytest.mark.parametrize(("hours", "counts"), [(2, True), (1, True), (0.5, False)])
def test_judge_other_label_is_changed_and_the_newer_counts(hours: float, counts: bool) -> None:
    found = verdict(False, at=NOON + hours * HOUR, known=True, known_at=NOON + HOUR)

    assert (found.state, found.counts) == (FeedbackState.CHANGED, counts)


def test_judge_true_and_one_are_different_labels() -> None:
    assert verdict(1, known=True, known_at=NOON + HOUR).state is FeedbackState.CHANGED


def test_judge_false_that_is_known_is_not_taken_for_unknown() -> None:
    assert verdict(False, known=False, known_at=NOON + HOUR).state is FeedbackState.REPEATED


def test_judge_label_beyond_the_horizon_is_late_and_counts() -> None:
    found = verdict(True, at=NOON + timedelta(days=2))

    assert (found.is_late, found.counts) == (True, True)


def target(name: str, at: datetime) -> Target:
    return Target(id=name, row=0, key="k", at=at, label=None, label_at=None)


def test_ledger_key_predicted_often_means_the_latest_before_the_labels_time() -> None:
    rows = [target("early", NOON), target("middle", NOON + HOUR), target("after", NOON + 3 * HOUR)]
    ledger = Ledger({}, {"k": rows}, horizon_seconds=86_400)

    found, _verdict = ledger.judge(True, NOON + 2 * HOUR, None, 0, "k")

    assert found is not None
    assert found.id == "middle"


def test_ledger_label_before_every_prediction_finds_nothing() -> None:
    ledger = Ledger({}, {"k": [target("early", NOON)]}, horizon_seconds=86_400)

    assert ledger.judge(True, NOON - HOUR, None, 0, "k") == (None, None)


def test_ledger_two_labels_of_one_request_see_each_other() -> None:
    ledger = Ledger({("i", 0): target("i", NOON)}, {}, horizon_seconds=86_400)

    states = [ledger.judge(label, NOON + HOUR, "i", 0, None)[1] for label in (True, True, False)]

    assert [state and state.state.value for state in states] == ["matched", "repeated", "changed"]
    assert ledger.decided() == [("i", 0, False, NOON + HOUR)]


def park(parked: Parked, label: Any, at: datetime, *, key: str | None = "k", has_time: bool = False) -> FeedbackState:
    return parked.park(label, at, None if key else "inference", 0, key, has_time=has_time)


def test_park_same_label_again_is_repeated_and_another_waits_too() -> None:
    parked = Parked([(None, 0, "k", True, NOON)])

    assert park(parked, True, NOON + HOUR) is FeedbackState.REPEATED
    assert park(parked, False, NOON + HOUR) is FeedbackState.PARKED
    assert park(parked, True, NOON + 2 * HOUR) is FeedbackState.PARKED
    assert park(parked, 1, NOON + 3 * HOUR) is FeedbackState.PARKED


def test_park_label_of_a_key_at_another_time_given_waits_for_another_prediction() -> None:
    parked = Parked([(None, 0, "k", True, NOON)])

    assert park(parked, True, NOON + HOUR, has_time=True) is FeedbackState.PARKED
    assert park(parked, True, NOON, has_time=True) is FeedbackState.REPEATED


def test_park_label_of_an_inference_is_repeated_whatever_its_time() -> None:
    parked = Parked([("inference", 0, None, True, NOON)])

    assert park(parked, True, NOON + HOUR, key=None, has_time=True) is FeedbackState.REPEATED
