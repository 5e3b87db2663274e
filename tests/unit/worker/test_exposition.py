"""A worker's own HTTP: its metrics, its health, and nothing else."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import urllib3
from prometheus_client import Counter

from mlp.errors import ConfigurationInvalid
from mlp.observability.metrics import REGISTRY, counter
from mlp.worker.exposition import Exposition
from mlp.worker.fork_gate import ForkGate


class Health:
    """What the worker says of itself."""

    def __init__(self) -> None:
        self.is_well = True

    def check(self) -> tuple[bool, dict[str, Any]]:
        return self.is_well, {"status": "live" if self.is_well else "starting", "processes": 2}


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def exposition(health: Health) -> Iterator[Exposition]:
    with closing(Exposition(0, ForkGate(), health.check)) as exposition:
        exposition.start()
        yield exposition


def get(exposition: Exposition, path: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", f"http://127.0.0.1:{exposition.port}{path}", timeout=10, retries=False)


@pytest.fixture
def counted() -> Iterator[Counter]:
    """A metric of this test alone: others compare all metrics with their page."""
    made = counter("mlp_test_exposition_total", "Of this test.")
    yield made
    REGISTRY.unregister(made)


def test_metrics_are_in_the_form_that_prometheus_reads(exposition: Exposition, counted: Counter) -> None:
    counted.inc(3)

    answer = get(exposition, "/metrics")

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "mlp_test_exposition_total 3.0" in answer.data.decode()


def test_worker_that_is_well_answers_200_with_its_report(exposition: Exposition) -> None:
    answer = get(exposition, "/health/live")

    assert answer.status == 200
    assert answer.json() == {"status": "live", "processes": 2}


def test_worker_that_is_not_well_answers_503_with_its_report(exposition: Exposition, health: Health) -> None:
    health.is_well = False

    answer = get(exposition, "/health/live")

    assert answer.status == 503
    assert answer.json()["status"] == "starting"


@pytest.mark.parametrize("path", ["/", "/metricsx", "/health", "/v1/models"])
def test_other_paths_are_told_what_there_is(exposition: Exposition, path: str) -> None:
    answer = get(exposition, path)

    assert answer.status == 404
    assert answer.data == b"there are /metrics and /health/live\n"


def test_answers_do_not_name_the_server_program(exposition: Exposition) -> None:
    assert get(exposition, "/health/live").headers["server"].strip() == "mlp"


def test_port_in_use_is_refused_by_its_variable() -> None:
    with closing(socket.create_server(("", 0))) as other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigurationInvalid, match=f"MLP_WORKER_PORT {port}"):
            Exposition(port, ForkGate(), lambda: (True, {}))


def test_closed_exposition_frees_its_port(health: Health) -> None:
    exposition = Exposition(0, ForkGate(), health.check)
    exposition.start()
    port = exposition.port

    exposition.close()

    with closing(socket.create_server(("", port))) as other:
        assert other.getsockname()[1] == port
