"""Watching the monitor: which windows are asked for, and when everything has arrived."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from mlp.client import Client, Response
from mlp.demo.options import Period
from mlp.demo.watch import Monitor
from tests.unit.demo.conftest import json_response

YEAR = Period(date(2013, 3, 1), date(2013, 12, 31))
WEEK = Period(date(2013, 3, 1), date(2013, 3, 7))


class FakeMonitor:
    """A transport that answers with the documents it is given, by the last part of the path, one after the other."""

    address = "http://fake"

    def __init__(self, **documents: list[dict[str, Any]]) -> None:
        self.documents = documents
        self.queries: list[dict[str, str]] = []

    def send(
        self,
        method: str,  # noqa: ARG002 - as Transport has it, and so below
        path: str,
        *,
        query: Mapping[str, str],
        body: Any,  # noqa: ARG002
        headers: Mapping[str, str],  # noqa: ARG002
        timeout_seconds: float,  # noqa: ARG002
    ) -> Response:
        self.queries.append(dict(query))
        return json_response(200, self.documents[path.rpartition("/")[2]].pop(0))

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("period", "by", "until"), [(YEAR, "month", "2014-01-01T00:00:00Z"), (WEEK, "day", "2013-03-08T00:00:00Z")]
)
def test_monitor_asks_for_windows_that_suit_the_period(period: Period, by: str, until: str) -> None:
    empty: dict[str, Any] = {"model": "flights", "version": "1", "reference": None, "by": by, "windows": []}
    transport = FakeMonitor(drift=[empty])

    Monitor(Client(transport=transport), period).drift()

    assert transport.queries == [{"by": by, "since": "2013-03-01T00:00:00Z", "until": until}]


def test_monitor_is_complete_once_all_is_recorded_and_no_label_waits() -> None:
    def summary(predictions: int, parked: int) -> dict[str, Any]:
        counts = {"labelled": 0, "coverage": 0.0, "repeated": 0, "changed": 0}
        return {"predictions": predictions, "parked": parked, **counts}

    transport = FakeMonitor(summary=[summary(9, 0), summary(10, 2), summary(10, 0), summary(0, 0)])

    Monitor(Client(transport=transport), WEEK).wait_until_complete(10)

    assert len(transport.documents["summary"]) == 1
