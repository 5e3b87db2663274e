from collections.abc import Sequence
from typing import Any

import pytest

from mlp.jobs.group_sizes import GroupSizes
from mlp.jobs.task import JobContext, TaskTable


@pytest.fixture
def sizes() -> GroupSizes:
    tasks = TaskTable()

    def together(_contexts: Sequence[JobContext], payloads: Sequence[Any]) -> Sequence[Any]:
        return payloads

    tasks.task("test.together", together=together, seconds_max=5.0)(lambda _context, payload: payload)
    tasks.task("test.alone")(lambda _context, payload: payload)
    return GroupSizes(tasks, seconds_max=60.0)


def jobs_max(sizes: GroupSizes, kind: str, model: str) -> int:
    return sizes.jobs_max().get((kind, model), 1)


def test_first_job_of_a_model_comes_alone(sizes: GroupSizes) -> None:
    assert jobs_max(sizes, "test.together", "churn") == 1


def test_quick_jobs_come_by_the_dozen_and_slow_ones_alone(sizes: GroupSizes) -> None:
    sizes.learn("test.together", "quick", 10, 0.001)
    sizes.learn("test.together", "middling", 2, 0.02)
    sizes.learn("test.together", "slow", 1, 3.0)

    assert [jobs_max(sizes, "test.together", model) for model in ("quick", "middling", "slow")] == [64, 5, 1]


def test_first_call_that_loads_the_model_is_forgotten_soon(sizes: GroupSizes) -> None:
    sizes.learn("test.together", "churn", 1, 2.0)
    calls = 0
    while jobs_max(sizes, "test.together", "churn") < 16:
        sizes.learn("test.together", "churn", 1, 0.001)
        calls += 1

    assert calls < 15


def test_task_that_does_one_job_gets_one(sizes: GroupSizes) -> None:
    sizes.learn("test.alone", "churn", 1, 0.001)

    assert jobs_max(sizes, "test.alone", "churn") == 1


def test_limit_of_the_task_comes_before_the_setting(sizes: GroupSizes) -> None:
    assert (sizes.seconds_max("test.together"), sizes.seconds_max("test.alone")) == (5.0, 60.0)
