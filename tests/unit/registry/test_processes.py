"""Processes are seen with all that they started, and ended without hitting strangers."""

import os
import subprocess
import sys

import pytest

from mlp.registry.processes import Process, descendants, end_all, left_behind

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are listed on Linux")

_WAIT = "import sys; print('up', flush=True); sys.stdin.read()"


def _child(code: str = _WAIT) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    return child


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.communicate()


def test_descendants_are_found_at_any_depth() -> None:
    child = _child(f"import subprocess, sys; subprocess.call([sys.executable, '-c', {_WAIT!r}])")
    try:
        below = descendants(os.getpid())

        assert child.pid in {process.id for process in below}
        assert len(descendants(child.pid)) == 1
    finally:
        end_all(child.pid, [])
        _end(child)


def test_members_of_a_session_are_left_behind_until_they_end() -> None:
    child = _child()
    try:
        assert [process.id for process in left_behind(child.pid, [])] == [child.pid]
    finally:
        _end(child)

    assert left_behind(child.pid, []) == []


def test_process_that_only_shares_its_id_is_not_ended() -> None:
    child = _child()
    try:
        end_all(2**22 - 7, [Process(child.pid, 1)])

        assert child.poll() is None
        assert left_behind(2**22 - 7, [Process(child.pid, 1)]) == []
    finally:
        _end(child)
