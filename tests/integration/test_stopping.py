"""A server that is told to stop goes on answering until a proxy has noticed, says that it stops, and ends with 0."""

import os
import signal
import sys
from pathlib import Path

import pytest
import urllib3

from tests.models import sign_model
from tests.servers import Serve, ServerProcess, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="only on systems with signals"),
]

DRAIN_SECONDS = "2"
PREDICT = "/v1/models/sign/predict"
ROWS = b'{"rows": [[1, 1]]}'


def begin_to_stop(server: ServerProcess) -> None:
    """What ``docker stop`` sends."""
    os.kill(server.pid, signal.SIGTERM)


def predict(server: ServerProcess, *, raises: bool = True) -> urllib3.BaseHTTPResponse:
    """On a connection of its own, so that any of the processes may take it."""
    return server.send("POST", PREDICT, ROWS, raises=raises, content_type="application/json", connection="close")


def says_that_it_stops(server: ServerProcess) -> bool:
    answer = server.send("GET", "/health/open", raises=False, connection="close")
    return answer.status == 503 and answer.json() == {"status": "stopping"}


@pytest.fixture(params=["1", "2"])
def server(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> ServerProcess:
    """A server with a model, of one process and of two."""
    running = serve("--processes", request.param, MLP_DRAIN_SECONDS=DRAIN_SECONDS)
    running.client.models.add("sign", sign_model(tmp_path / "sign"))
    return running


def test_stopping_server_answers_until_its_time_is_over(server: ServerProcess) -> None:
    begin_to_stop(server)
    until(lambda: says_that_it_stops(server), 10)

    answers = [predict(server) for _ in range(8)]

    assert {answer.status for answer in answers} == {200}
    assert server.wait_ended() == 0


def test_health_says_stopping_and_the_process_lives(server: ServerProcess) -> None:
    assert server.get("/health/open").json() == {"status": "open"}

    begin_to_stop(server)

    until(lambda: says_that_it_stops(server), 10)
    assert server.send("GET", "/health/live", connection="close").status == 200
    assert server.wait_ended() == 0


def test_no_request_is_lost_while_new_ones_stop_after_the_word(server: ServerProcess) -> None:
    statuses = []
    begin_to_stop(server)

    while not says_that_it_stops(server):
        statuses.append(predict(server).status)
    statuses += [predict(server).status for _ in range(4)]

    assert set(statuses) == {200}
    assert server.wait_ended() == 0


@pytest.mark.parametrize("server", ["1"], indirect=True)
def test_kept_connections_are_told_to_close(server: ServerProcess) -> None:
    with urllib3.HTTPConnectionPool(server.url.removeprefix("http://")) as pool:

        def ask() -> urllib3.BaseHTTPResponse:
            return pool.request("POST", PREDICT, body=ROWS, headers={"content-type": "application/json"})

        before = ask()
        begin_to_stop(server)
        until(lambda: says_that_it_stops(server), 10)

        after = ask()

    assert (before.status, before.headers.get("connection")) == (200, None)
    assert (after.status, after.headers.get("connection")) == (200, "close")
    assert server.wait_ended() == 0


@pytest.mark.parametrize("server", ["1"], indirect=True)
def test_second_signal_ends_the_waiting(server: ServerProcess) -> None:
    begin_to_stop(server)
    until(lambda: says_that_it_stops(server), 10)

    begin_to_stop(server)

    assert server.wait_ended() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_server_without_a_proxy_stops_without_waiting(serve: Serve, processes: str) -> None:
    server = serve("--processes", processes)

    begin_to_stop(server)

    until(lambda: server.get("/health/live", raises=False).status == 599, 10)
    assert server.wait_ended() == 0
    assert server.get("/health/open", raises=False).status == 599


def test_server_takes_requests_once_its_models_are_loaded(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "go"
    gate.touch()
    first = serve()
    waiting = f"while not os.path.exists({str(gate)!r}): time.sleep(0.05)"
    first.client.models.add("sign", sign_model(tmp_path / "sign", at_load=waiting))
    first.stop()
    gate.unlink()

    again = serve(is_waiting=False).wait_up()

    answer = again.get("/health/open")
    assert (answer.status, answer.json()) == (503, {"status": "starting"})
    gate.touch()
    until(lambda: again.get("/health/open").status == 200, 30)
    assert predict(again).status == 200
