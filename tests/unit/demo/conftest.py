"""A handful of flights, the real ones, and a server that answers in memory and remembers what it was asked."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from mlp.client import (
    Client,
    Drift,
    DriftReference,
    DriftWindow,
    FeatureDrift,
    Quality,
    QualityWindow,
    Response,
)
from mlp.clock import from_rfc3339
from mlp.demo.findings import Findings
from mlp.demo.options import Period
from mlp.demo.schedule import FEATURES, data_folder, read_schedule


class FakeServer:
    """A transport of the client: predicts 0.25 for everything, keeps every request in the order in which it came.

    ``before_answer`` is called with the path of each request; what it returns, if anything, is the answer.
    """

    address = "http://fake"

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.before_answer: Callable[[str], Response | None] = lambda _path: None
        self._lock = threading.Lock()

    def send(
        self,
        method: str,  # noqa: ARG002 - as Transport has it, and so below
        path: str,
        *,
        query: Mapping[str, str],  # noqa: ARG002
        body: Any,
        headers: Mapping[str, str],  # noqa: ARG002
        timeout_seconds: float,  # noqa: ARG002
    ) -> Response:
        answer = self.before_answer(path)
        if answer is not None:
            return answer
        with self._lock:
            asked = msgspec.json.decode(body)
            self.requests.append((path, asked))
        return json_response(200, self._answer(path, asked))

    def close(self) -> None:
        pass

    def asked(self, ending: str) -> list[dict[str, Any]]:
        """The bodies of all requests whose path ends so."""
        return [body for path, body in self.requests if path.endswith(ending)]

    @staticmethod
    def _answer(path: str, asked: dict[str, Any]) -> dict[str, Any]:
        if path == "/v1/feedback":
            counts = dict.fromkeys(("matched", "parked", "repeated", "changed", "late"), 0)
            return {**counts, "matched": len(asked["labels"]), "rejected": []}
        prediction = {"label": False, "probabilities": {"false": 0.75, "true": 0.25}}
        return {"id": "1", "model": "flights", "version": "1", "predictions": [prediction]}


def json_response(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, {"content-type": "application/json", **(headers or {})}, msgspec.json.encode(document))


def refusal(status: int, code: str) -> Response:
    return json_response(status, {"code": code, "detail": f"it says {code}"}, {"retry-after": "0"})


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def client(server: FakeServer) -> Client:
    return Client(transport=server)


def moment(text: str) -> datetime:
    return from_rfc3339(text)


def flights_frame(*flights: tuple[str, str, str | None, bool]) -> pd.DataFrame:
    """A schedule of flights given as key, scheduled departure, arrival (None: cancelled) and whether it was late."""
    keys, departures, arrivals, late = zip(*flights, strict=True)
    inputs = {name: [1.5] * len(flights) for name in FEATURES}
    return pd.DataFrame(
        {
            **inputs,
            "carrier": "UA",
            "rain_inches": float("nan"),
            "key": keys,
            "day": pd.Timestamp("2013-03-01"),
            "scheduled_departure": pd.to_datetime(list(departures), utc=True),
            "arrival": pd.to_datetime(list(arrivals), utc=True),
            "is_late": late,
        }
    )


@pytest.fixture(scope="session")
def real_schedule() -> pd.DataFrame:
    return read_schedule(data_folder())


def quality_window(month: int, auc: float | None, bounds: tuple[float, float] | None = None) -> QualityWindow:
    """A window of one month of 2013 with 1,000 predictions, 970 of them labelled."""
    start = datetime(2013, month, 1, tzinfo=UTC)
    scores = {"auc": auc, "base_rate": 0.2 + month / 100, "mean_score": 0.21}
    intervals: dict[str, tuple[float | None, float | None] | None] = {} if bounds is None else {"auc": bounds}
    end = datetime(2013, month + 1, 1, tzinfo=UTC)
    return QualityWindow(start, end, 1000, 970, 0.97, True, scores=scores, intervals=intervals)


def drift_window(month: int, **distances: float) -> DriftWindow:
    """A window of one month with these distances by feature; the threshold of all is 0.2."""
    features = [
        FeatureDrift(name, distance, "psi", 0.2, 0.001, distance > 0.2)
        for name, distance in sorted(distances.items(), key=lambda item: -item[1])
    ]
    drifted = tuple(item.feature for item in features if item.is_drifted)
    start, end = datetime(2013, month, 1, tzinfo=UTC), datetime(2013, month + 1, 1, tzinfo=UTC)
    return DriftWindow(start, end, 1000, drifted, len(drifted) / max(len(features), 1), features)


def quality_of(*windows: QualityWindow) -> Quality:
    return Quality("flights", "classification", "month", datetime(2013, 6, 1, tzinfo=UTC), 86_400, list(windows))


def drift_of(*windows: DriftWindow) -> Drift:
    return Drift("flights", "1", DriftReference(51_955, "registration"), "month", list(windows))


def findings_of(quality: Quality, drift: Drift, **changes: Any) -> Findings:
    """Findings of a replay of 2,000 flights over two days, answered in 20 to 40 ms."""
    days = np.repeat(np.array(["2013-03-01", "2013-03-02"], dtype="datetime64[D]"), 1000)
    findings = Findings(
        period=Period(date(2013, 3, 1), date(2013, 5, 31)),
        trained_rows=50_009,
        flights=2000,
        landed=1940,
        labels_parked=0,
        replay_seconds=2.5,
        requests_in_flight=32,
        latency_seconds=np.linspace(0.02, 0.04, 2000),
        departure_days=days,
        quality=quality,
        drift=drift,
        recomputed={},
    )
    return replace(findings, **changes)
