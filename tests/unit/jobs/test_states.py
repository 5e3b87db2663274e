import pytest

from mlp.errors import BadInput
from mlp.jobs.states import FOLLOWERS, JobState, Priority, priority_named


@pytest.mark.parametrize("state", list(JobState))
def test_final_states_are_those_that_nothing_follows(state: JobState) -> None:
    assert state.is_final == (state in ("succeeded", "failed", "cancelled"))
    assert state.is_final == (FOLLOWERS[state] == frozenset())


def test_every_state_but_queued_follows_another() -> None:
    reached = frozenset[JobState]().union(*FOLLOWERS.values())

    assert reached == frozenset(JobState)


def test_priority_named_knows_three_in_order() -> None:
    assert [priority_named(name) for name in ("high", "default", "low")] == [
        Priority.HIGH,
        Priority.DEFAULT,
        Priority.LOW,
    ]
    assert Priority.HIGH > Priority.DEFAULT > Priority.LOW


def test_priority_named_otherwise_is_bad_input() -> None:
    with pytest.raises(BadInput, match='"urgent" is no priority: use high, default or low'):
        priority_named("urgent")
