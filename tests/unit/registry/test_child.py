"""A child process ends within its limits, and leaves nothing running."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlp.registry.child import Ended, Ending, run_child
from mlp.registry.processes import descendants

pytestmark = pytest.mark.slow

_SLEEPER = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']{})"


def _run(code: str, tmp_path: Path, **limits: Any) -> Ended:
    is_done: Callable[[], bool] = limits.pop("is_done", lambda: False)
    options: dict[str, Any] = {"timeout_seconds": 60.0, "output_bytes_max": 2**20} | limits
    return run_child(
        [sys.executable, "-c", code], working=tmp_path, is_done=is_done, known_processes=lambda: [], **options
    )


def test_child_that_ends_by_itself_tells_its_code_and_its_output(tmp_path: Path) -> None:
    ended = _run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(5)", tmp_path)

    assert (ended.ending, ended.exit_code, ended.processes_left) == (Ending.EXITED, 5, 0)
    assert sorted(ended.output.split()) == ["err", "out"]


def test_child_has_no_stdin_and_another_current_folder(tmp_path: Path) -> None:
    ended = _run("import os, sys; print(repr(sys.stdin.read()), os.getcwd())", tmp_path)

    assert ended.output.split() == ["''", os.path.realpath(tmp_path)]


def test_child_that_runs_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    before = set(descendants(os.getpid()))

    ended = _run(_SLEEPER.format("") + ".wait()", tmp_path, timeout_seconds=2.0)

    assert ended.ending is Ending.TIMED_OUT
    assert ended.exit_code != 0
    assert set(descendants(os.getpid())) <= before


def test_child_that_prints_too_much_is_killed_and_its_last_words_kept(tmp_path: Path) -> None:
    ended = _run("while True: print('x' * 99)", tmp_path, output_bytes_max=10**6)

    assert ended.ending is Ending.TOO_LOUD
    assert len(ended.output) <= 2**16


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to look into")
def test_process_that_outlives_the_child_is_counted_and_killed(tmp_path: Path) -> None:
    before = set(descendants(os.getpid()))

    ended = _run(_SLEEPER.format(""), tmp_path)

    assert (ended.ending, ended.exit_code, ended.processes_left) == (Ending.EXITED, 0, 1)
    assert set(descendants(os.getpid())) <= before


def test_child_that_is_done_and_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlp.registry.child._LINGER_SECONDS", 0.5)

    ended = _run("import threading; threading.Event().wait()", tmp_path, is_done=lambda: True)

    assert ended.ending is Ending.LINGERED
