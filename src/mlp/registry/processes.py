"""Which processes a child has started, and ending them all; sees them one by one on Linux, as a group elsewhere."""

import os
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_HAS_PROC = sys.platform.startswith("linux")
_SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)


class Process(NamedTuple):
    """One process: its id, and the moment of its start in clock ticks, so that a reused id is not mistaken for it."""

    id: int
    started_ticks: int


class _Row(NamedTuple):
    process: Process
    parent_id: int
    group_id: int
    session_id: int


def _running() -> Iterator[_Row]:
    """All processes but zombies; nothing where there is no /proc."""
    for entry in _PROC.iterdir() if _HAS_PROC else ():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(errors="replace")
        except OSError:
            continue  # it has ended since
        # proc_pid_stat(5): the name in brackets may hold anything, so count the fields behind its last bracket.
        state, *rest = text.rpartition(")")[2].split()
        if state not in "ZX":
            process = Process(int(entry.name), int(rest[18]))
            yield _Row(process, int(rest[0]), int(rest[1]), int(rest[2]))


def adopt_orphans() -> None:
    """Make this process the parent of those whose parents end, so that ``descendants`` sees them; Linux only."""
    if _HAS_PROC:
        import ctypes

        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(process_id: int) -> list[Process]:
    """The processes below this one, at any depth."""
    rows = list(_running())
    found: dict[int, Process] = {}
    parents = {process_id}
    while parents:
        children = {row.process.id: row.process for row in rows if row.parent_id in parents}
        parents = children.keys() - found.keys()
        found.update(children)
    return list(found.values())


def left_behind(leader_id: int, known: Collection[Process]) -> list[Process]:
    """Running processes of the group or session that the ended child led, and those of ``known`` that still run."""
    wanted = set(known)
    return [row.process for row in _running() if leader_id in (row.group_id, row.session_id) or row.process in wanted]


def group_is_alive(leader_id: int) -> bool:
    """Whether any process of the ended child's group runs, where they cannot be seen one by one (macOS)."""
    if sys.platform != "win32" and not _HAS_PROC:
        try:
            os.killpg(leader_id, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True
    return False


def end_all(leader_id: int, others: Collection[Process]) -> None:
    """Kill the group that the child leads, and the others if they are still the same processes; not on Windows."""
    if sys.platform != "win32":
        try:
            os.killpg(leader_id, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # all of it has ended
        for process in {row.process for row in _running()} & set(others):
            try:
                os.kill(process.id, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # ended since, or changed its user
