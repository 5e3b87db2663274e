"""What processes have used, read from Linux's /proc: CPU time with that of their ended children, and memory."""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


def _system_constant(name: str) -> int:
    if sys.platform != "win32":
        return os.sysconf(name)
    raise RuntimeError("CPU times are read from /proc, which Windows has not")


_TICKS_PER_SECOND = _system_constant("SC_CLK_TCK")
_PROC = Path("/proc")

#: Reads the CPU seconds that one kind of process has used so far.
ReadCPU = Callable[[], float]


@dataclass(frozen=True)
class CPUUse:
    """CPU seconds of each kind of process over a time, and how many cores everybody kept busy on average."""

    seconds: dict[str, float]
    busy_cores: float

    def lines(self, jobs: int) -> list[str]:
        """The seconds per 1,000 jobs, largest first."""
        ranked = sorted(self.seconds.items(), key=lambda item: -item[1])
        return [f"    {kind:<22}{1000 * seconds / jobs:7.3f}" for kind, seconds in ranked]


class CPUMeter:
    """The CPU time that kinds of processes use from start() to stop()."""

    def __init__(self, kinds: Mapping[str, ReadCPU]) -> None:
        self._kinds = kinds
        self._before: dict[str, float] = {}
        self._machine_before = (0.0, 0.0)

    def start(self) -> None:
        """Begin to count."""
        # The machine last here and first in stop(): to walk through /proc takes a while on a busy machine.
        self._before = {kind: read() for kind, read in self._kinds.items()}
        self._machine_before = _machine_busy_seconds(), time.monotonic()

    def stop(self) -> CPUUse:
        """What was used since start()."""
        busy_before, began_at = self._machine_before
        busy_cores = (_machine_busy_seconds() - busy_before) / (time.monotonic() - began_at)
        return CPUUse({kind: read() - self._before[kind] for kind, read in self._kinds.items()}, busy_cores)


def children_of(pid: int) -> set[int]:
    """Processes that this one started and that live."""
    return {child for child, parent in _parents().items() if parent == pid}


def parent_of(pid: int) -> int:
    """The process that a living one was started by."""
    return _parents()[pid]


def own_cpu_seconds(pid: int) -> float:
    """CPU time of a process without its children; 0 once it is gone."""
    return sum(_stat(pid)[11:13]) / _TICKS_PER_SECOND


def tree_cpu_seconds(pid: int) -> float:
    """CPU time of a process and of all below it, those included that have ended and were waited for."""
    stats = _stats()
    children: defaultdict[int, list[int]] = defaultdict(list)
    for child, stat in stats.items():
        children[stat[1]].append(child)
    ticks, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        ticks += sum(stats[each][11:15]) if each in stats else 0
        waiting += children[each]
    return ticks / _TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM, shared pages included; 0 once it is gone."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * _system_constant("SC_PAGE_SIZE")


def _parents() -> dict[int, int]:
    """The parent of each living process."""
    return {pid: stat[1] for pid, stat in _stats().items()}


def _stats() -> dict[int, list[int]]:
    """The fields of each living process that has a parent."""
    stats = {int(entry.name): _stat(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdecimal()}
    return {pid: stat for pid, stat in stats.items() if stat[1] != 0}


def _stat(pid: int) -> list[int]:
    """The fields of /proc/PID/stat from the third on (proc(5)), the state as 0; zeros for a process that is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return [0] * 20
    # The second field is the program's name in parentheses, and may hold anything.
    return [0, *(int(field) for field in text.rpartition(")")[2].split()[1:20])]


def _machine_busy_seconds() -> float:
    """CPU time of everybody, without idling and waiting for disks: user, nice, system, interrupts (proc(5))."""
    user, nice, system, _idle, _waiting, interrupt, soft_interrupt = (
        int(field) for field in (_PROC / "stat").read_text().split()[1:8]
    )
    return (user + nice + system + interrupt + soft_interrupt) / _TICKS_PER_SECOND
