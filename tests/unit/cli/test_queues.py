import json
from pathlib import Path

import pytest

from mlp.cli.main import run
from mlp.cli.queues import state_of
from mlp.client.fleet import Queue

OPEN = Queue("mlp.high", 0, 0, None, 0, None, 1, True, False, None, None)


@pytest.mark.parametrize(
    ("queue", "state"),
    [
        (OPEN, "open"),
        (Queue("q", 0, 0, None, 0, None, 0, True, True, "why", None), "paused: why"),
        (Queue("q", 0, 0, None, 0, None, 0, True, True, "", None), "paused"),
        (Queue("q", 0, 0, None, 0, None, 0, True, False, None, None), "no worker takes it"),
        (Queue("q", 1, 0, None, 0, None, 0, False, False, None, None), "left over: no worker takes it"),
    ],
)
def test_state_is_said_in_a_few_words(queue: Queue, state: str) -> None:
    assert state_of(queue) == state


@pytest.mark.slow
def test_queue_is_paused_listed_and_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--folder", str(tmp_path)]

    exit_codes = [
        run(["queues", "pause", "default", "--reason", "wrong model", *where]),
        run(["queues", "list", *where]),
        run(["queues", "list", "--json", *where]),
        run(["queues", "resume", "mlp.default", *where]),
        run(["queues", "resume", "nothing", *where]),
    ]

    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert exit_codes == [0, 0, 0, 0, 1]
    assert lines[0] == "queue mlp.default is paused: 0 waiting"
    assert lines[1].split() == ["QUEUE", "QUEUED", "RUNNING", "OLDEST", "WORKERS", "STATE"]
    assert lines[3].endswith("paused: wrong model")
    assert json.loads("\n".join(lines[5:-1]))["queues"][1]["reason"] == "wrong model"
    assert lines[-1] == "queue mlp.default is open: 0 waiting to start"
    assert "mlp queues resume mlp.default" in printed.err
    assert "unknown queue 'nothing': there is mlp.high, mlp.default, mlp.low" in printed.err
