"""Several processes on one port: the same answers, metrics that add up, aliases seen by all, a dead one replaced."""

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


def ask(server: ServerProcess, path: str = "/v1/models/sign/predict") -> urllib3.BaseHTTPResponse:
    """One prediction on a connection of its own, so that any of the processes may take it."""
    return server.send("POST", path, b'{"rows": [[1, 1]]}', connection="close")


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in map(int, found) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.fixture
def server(serve: Serve, tmp_path: Path) -> ServerProcess:
    running = serve("--processes", "2")
    running.client.models.add("sign", sign_model(tmp_path / "one"))
    return running


def test_metrics_of_two_processes_add_up(server: ServerProcess) -> None:
    for _number in range(60):
        assert ask(server).status == 200

    answered = r'mlp_inference_requests_total\{model="sign",outcome="success",version="1"\}'
    assert server.metric(answered) == 60
    assert server.metric(r'mlp_inference_duration_seconds_count\{model="sign"\}') == 60


def test_promotion_is_seen_by_every_process_within_two_seconds(server: ServerProcess, tmp_path: Path) -> None:
    server.client.models.add("sign", sign_model(tmp_path / "two", bias=-10.0))
    server.client.models.promote("sign", "2")

    def all_answer_with_the_new_one() -> bool:
        return all(b'"version":"2"' in ask(server).data for _number in range(12))

    until(all_answer_with_the_new_one, 10)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only on Linux")
def test_killed_process_is_replaced_and_its_records_are_adopted(server: ServerProcess) -> None:
    before = children(server.pid)
    for _number in range(20):
        assert ask(server).status == 200
    if sys.platform != "win32":
        os.kill(before[-1], signal.SIGKILL)

    until(lambda: len(set(children(server.pid)) - set(before)) == 1, 30)
    until(lambda: all(server.send("GET", "/health/ready", raises=False).status == 200 for _turn in range(8)), 30)
    until(lambda: len(server.client.inferences("sign", limit=50)) == 20, 60)


def test_stop_ends_every_process(server: ServerProcess) -> None:
    ours = children(server.pid) if Path("/proc/self/task").is_dir() else []

    assert server.stop() == 0

    assert not any(Path(f"/proc/{pid}").exists() for pid in ours)
