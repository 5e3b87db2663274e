"""Processes as the kernel knows them: whose child is whose, and signals that not every system has."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: Signals that Windows lacks; the harness runs where /proc is.
KILL = int(getattr(signal, "SIGKILL", signal.SIGTERM))
STOP = int(getattr(signal, "SIGSTOP", 0))
CONTINUE = int(getattr(signal, "SIGCONT", 0))
TERMINATE = int(signal.SIGTERM)

_PAUSE_SECONDS = 0.02


def children_of(pid: int) -> list[int]:
    """The living processes that this one started, not those that they started."""
    return [child for child, parent, state in _table() if parent == pid and state not in "ZX"]


def descendants_of(pid: int) -> list[int]:
    """The living processes below this one, the nearest first."""
    found, open_pids = [], [pid]
    table = _table()
    while open_pids:
        parent_pid = open_pids.pop(0)
        below = [child for child, parent, state in table if parent == parent_pid and state not in "ZX"]
        found += below
        open_pids += below
    return found


def send(pids: Iterable[int], number: int) -> None:
    """A signal to each process that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def is_living(pid: int) -> bool:
    """Whether the process runs, or could: one that waits to be reaped does not count."""
    return any(each == pid and state not in "ZX" for each, _parent, state in _table())


def wait_gone(pids: Iterable[int], timeout_seconds: float) -> list[int]:
    """Those processes that are still there after the time."""
    deadline = time.monotonic() + timeout_seconds
    left = [pid for pid in pids if is_living(pid)]
    while left and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        left = [pid for pid in left if is_living(pid)]
    return left


def _table() -> list[tuple[int, int, str]]:
    """Every process: its id, its parent's, and its state (proc(5), /proc/pid/stat)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                # The name in parentheses may hold spaces and parentheses itself.
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                found.append((int(entry.name), int(fields[1]), fields[0]))
    return found
