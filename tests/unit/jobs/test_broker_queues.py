"""Which queue of the broker a job waits in, which there are, and which a worker takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.config import Settings
from mlp.errors import ConfigurationInvalid
from mlp.jobs.broker_queues import all_broker_queues, broker_queue_of, taken_queues
from mlp.jobs.states import Priority

RESERVED = ("high", "default", "low", "registry")
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,59}", fullmatch=True).filter(lambda name: name not in RESERVED)
priorities = st.integers(-32768, 32767)


@pytest.mark.parametrize(
    ("priority", "queue"),
    [(Priority.HIGH, "mlp.high"), (Priority.DEFAULT, "mlp.default"), (Priority.LOW, "mlp.low")],
)
def test_default_queue_is_three_by_priority(priority: Priority, queue: str) -> None:
    assert broker_queue_of("default", priority) == queue


@given(priority=priorities)
def test_priority_between_the_named_ones_falls_to_its_side_of_the_ordinary_one(priority: int) -> None:
    expected = "mlp.high" if priority > 0 else "mlp.low" if priority < 0 else "mlp.default"

    assert broker_queue_of("default", priority) == expected


@given(priority=priorities)
def test_registry_jobs_are_urgent_whatever_their_priority(priority: int) -> None:
    assert broker_queue_of("registry", priority) == "mlp.high"


@given(name=names, priority=priorities)
def test_job_of_a_named_queue_waits_in_a_queue_that_settings_have(name: str, priority: int) -> None:
    assert broker_queue_of(name, priority) in all_broker_queues(Settings(queues=name))


def test_installation_without_named_queues_has_three() -> None:
    assert all_broker_queues(Settings()) == ["mlp.high", "mlp.default", "mlp.low"]


def test_named_queues_stand_in_the_order_given_before_the_low_one() -> None:
    queues = all_broker_queues(Settings(queues="reports, gpu"))

    assert queues == ["mlp.high", "mlp.default", "mlp.reports", "mlp.gpu", "mlp.low"]


@pytest.mark.parametrize("text", ["gpu,gpu", "gpu, gpu ,", " ,gpu,,gpu"])
def test_queue_named_twice_is_one(text: str) -> None:
    assert all_broker_queues(Settings(queues=text)).count("mlp.gpu") == 1


@pytest.mark.parametrize(
    "name", [*RESERVED, "GPU", "a b", "mlp.gpu", "-gpu", "_gpu", "g" * 61, "gpü", "gpu;x", "a/b", "a\nb"]
)
def test_what_is_no_name_of_a_queue_is_refused_by_its_variable(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="MLP_QUEUES") as refused:
        all_broker_queues(Settings(queues=f"reports,{name}"))

    assert repr(name) in refused.value.message


@given(text=st.text())
def test_any_text_gives_proper_queues_or_is_refused(text: str) -> None:
    try:
        queues = all_broker_queues(Settings(queues=text))
    except ConfigurationInvalid:
        return

    assert queues[:2] == ["mlp.high", "mlp.default"]
    assert queues[-1] == "mlp.low"
    assert len(set(queues)) == len(queues)


@pytest.mark.parametrize("text", ["", " ", ","])
def test_worker_that_is_told_nothing_takes_every_queue(text: str) -> None:
    settings = Settings(queues="gpu", worker_queues=text)

    assert taken_queues(settings) == ["mlp.high", "mlp.default", "mlp.gpu", "mlp.low"]


def test_worker_takes_what_it_is_told_the_most_urgent_first_and_once() -> None:
    settings = Settings(queues="gpu", worker_queues="mlp.low,mlp.gpu, mlp.high,mlp.low")

    assert taken_queues(settings) == ["mlp.high", "mlp.gpu", "mlp.low"]


@pytest.mark.parametrize("name", ["mlp.gpu", "high", "mlp.", "mlp.registry"])
def test_worker_is_refused_a_queue_that_there_is_not(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="CELERY_QUEUE") as refused:
        taken_queues(Settings(queues="reports", worker_queues=f"mlp.high,{name}"))

    assert repr(name) in refused.value.message
    assert "mlp.high, mlp.default, mlp.reports, mlp.low" in refused.value.message
    assert "MLP_QUEUES" in refused.value.message


def test_comment_behind_an_empty_variable_names_no_queue() -> None:
    settings = Settings(worker_queues="# the queues a worker takes, comma-separated; empty: all that settings name")

    assert taken_queues(settings) == all_broker_queues(settings)
