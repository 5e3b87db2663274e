"""Labels leave in the order of arrival, each once, none before its time."""

from mlp.client import Label
from mlp.demo.labels import LabelQueue, Outcome
from tests.unit.demo.conftest import moment

EARLY, LATE = moment("2013-03-01T12:00:00Z"), moment("2013-03-01T15:00:00Z")


def filled() -> LabelQueue:
    queue = LabelQueue()
    queue.add(Outcome(LATE, "B", True))
    queue.add(Outcome(EARLY, "A", False))
    return queue


def test_take_due_gives_labels_of_flights_that_have_arrived() -> None:
    assert filled().take_due(EARLY, 10) == [Label(False, key="A", at=EARLY, source="arrival")]


def test_take_due_before_any_arrival_gives_none() -> None:
    queue = filled()

    assert queue.take_due(moment("2013-03-01T11:59:59Z"), 10) == []
    assert len(queue) == 2


def test_take_due_gives_each_label_once_in_the_order_of_arrival() -> None:
    queue = filled()

    first, second, rest = (queue.take_due(LATE, 1) for _ in range(3))

    assert ([label.key for label in first + second], rest) == (["A", "B"], [])
