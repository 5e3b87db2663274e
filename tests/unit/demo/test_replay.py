"""The replay as a server sees it: one request a flight, in order; labels at arrival, after their predictions."""

import threading
from typing import Any

import pandas as pd
import pytest

from mlp.client import Client, Response
from mlp.demo.replay import Progress, Replay, flights_of
from mlp.demo.schedule import FEATURES
from mlp.errors import ModelFailed
from tests.unit.demo.conftest import FakeServer, flights_frame, moment, refusal

FLIGHTS = flights_frame(
    ("A", "2013-03-01T10:00:00Z", "2013-03-01T18:00:00Z", True),
    ("B", "2013-03-01T11:00:00Z", None, False),
    ("C", "2013-03-01T12:00:00Z", "2013-03-01T12:30:00Z", False),
    ("D", "2013-03-01T13:00:00Z", "2013-03-02T02:00:00Z", False),
)


def run(client: Client, flights: pd.DataFrame = FLIGHTS, **options: Any) -> tuple[Replay, Progress]:
    given: dict[str, Any] = {"days_per_second": None, "requests_in_flight": 1, **options}
    replay = Replay(client, flights, **given)
    return replay, replay.run(lambda _progress: None)


def labels_sent(server: FakeServer) -> list[dict[str, Any]]:
    return [label for body in server.asked("/feedback") for label in body["labels"]]


def test_replay_asks_about_each_flight_in_the_order_of_departure(server: FakeServer, client: Client) -> None:
    run(client)

    asked = server.asked("/v1/models/flights/predict")
    assert [body["keys"] for body in asked] == [["A"], ["B"], ["C"], ["D"]]
    assert [body["at"] for body in asked] == [f"2013-03-01T{hour}:00:00Z" for hour in (10, 11, 12, 13)]
    assert all(len(body["rows"]) == 1 for body in asked)


def test_replay_sends_the_inputs_alone_with_null_for_what_was_not_measured(server: FakeServer, client: Client) -> None:
    run(client)

    row = server.asked("/predict")[0]["rows"][0]
    assert tuple(row) == FEATURES
    assert (row["carrier"], row["distance_miles"], row["rain_inches"]) == ("UA", 1.5, None)


def test_replay_sends_labels_of_landed_flights_at_their_arrival(server: FakeServer, client: Client) -> None:
    run(client)

    assert {label["key"]: (label["label"], label["at"]) for label in labels_sent(server)} == {
        "A": (True, "2013-03-01T18:00:00Z"),
        "C": (False, "2013-03-01T12:30:00Z"),
        "D": (False, "2013-03-02T02:00:00Z"),
    }


def test_replay_sends_no_label_before_its_prediction_is_answered_or_its_moment_reached(
    server: FakeServer, client: Client
) -> None:
    flights = flights_frame(
        *((f"F{hour:02}", f"2013-03-01T{hour:02}:00:00Z", f"2013-03-01T{hour:02}:30:00Z", False) for hour in range(24))
    )

    run(client, flights, requests_in_flight=4, days_per_second=5.0)

    asked_before: set[str] = set()
    for path, body in server.requests:
        if path.endswith("/predict"):
            asked_before.update(body["keys"])
            continue
        assert {label["key"] for label in body["labels"]} <= asked_before
    # At this speed simulated time passes two hours between two requests with labels, so they cannot all come at once.
    assert len(server.asked("/feedback")) > 1
    assert len(labels_sent(server)) == 24


def test_replay_counts_what_it_did(client: Client) -> None:
    replay, finished = run(client)

    assert (finished.flights, finished.answered, finished.labels_sent) == (4, 4, 3)
    assert replay.scores.tolist() == [0.25] * 4
    assert (replay.latency_seconds > 0).all()
    assert finished.reached == moment("2013-03-02T02:00:00Z")


def test_replay_asks_again_when_the_server_is_busy(server: FakeServer, client: Client) -> None:
    moods = [refusal(429, "too_many_requests"), refusal(503, "model_not_ready")]
    server.before_answer = lambda _path: moods.pop() if moods else None

    _, finished = run(client)

    assert finished.answered == 4


def test_replay_stops_at_the_first_error(server: FakeServer, client: Client) -> None:
    server.before_answer = lambda path: refusal(500, "model_failed") if path.endswith("/predict") else None

    with pytest.raises(ModelFailed, match="it says model_failed"):
        run(client, requests_in_flight=3)

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("passenger")]


def test_replay_that_is_interrupted_leaves_no_thread(server: FakeServer, client: Client) -> None:
    def interrupt(_progress: Progress) -> None:
        raise KeyboardInterrupt

    replay = Replay(client, FLIGHTS, days_per_second=1e-6, requests_in_flight=2)

    with pytest.raises(KeyboardInterrupt):
        replay.run(interrupt)

    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("passenger", "tower"))]


def test_replay_keeps_no_more_requests_in_flight_than_it_is_told(server: FakeServer, client: Client) -> None:
    lock = threading.Lock()
    under_way = most = 0
    both_are_here = threading.Barrier(2)

    def observe(path: str) -> Response | None:
        nonlocal under_way, most
        if not path.endswith("/predict"):
            return None
        with lock:
            under_way += 1
            most = max(most, under_way)
        both_are_here.wait(timeout=10)
        with lock:
            under_way -= 1
        return None

    server.before_answer = observe

    run(client, requests_in_flight=2)

    assert most == 2


def test_flights_of_a_schedule_keep_order_and_outcome() -> None:
    flights = list(flights_of(FLIGHTS))

    assert [flight.index for flight in flights] == [0, 1, 2, 3]
    assert flights[1].outcome is None
    assert flights[0].outcome is not None
    assert flights[0].outcome.is_late is True
    assert flights[0].departs == moment("2013-03-01T10:00:00Z")
