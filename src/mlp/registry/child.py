"""Runs one child process within limits: time, output, and an end that leaves nothing running."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

from mlp.clock import monotonic
from mlp.registry.processes import Process, descendants, end_all, group_is_alive, left_behind

_POLL_SECONDS = 0.02
_CHUNK_BYTES = 1 << 16
_TAIL_BYTES = 1 << 16
#: Time for processes that end with their parent, such as joblib's workers, to notice that it has gone.
_GRACE_SECONDS = 2.0
#: Time to end for a child that has done its work.
_LINGER_SECONDS = 10.0


class Ending(StrEnum):
    """Why a child ended."""

    EXITED = "exited"  #: by itself, or by a signal
    TIMED_OUT = "timed out"
    TOO_LOUD = "too loud"  #: printed more than allowed
    LINGERED = "lingered"  #: did its work and went on running


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        exit_code: Negative: the number of the signal that killed it.
        output: The last 64 KiB of what it printed on stdout and stderr.
        processes_left: Processes that it left running; they have been killed.
    """

    ending: Ending
    exit_code: int
    output: str
    processes_left: int


class _Output:
    """Reads a pipe to its end in a thread of its own, and remembers the last bytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._tail = b""
        self.bytes_read = 0
        self._thread = threading.Thread(target=self._read, name="acceptance-output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while chunk := self._pipe.read1(_CHUNK_BYTES):  # type: ignore[attr-defined] # Popen's pipes are buffered
                self.bytes_read += len(chunk)
                self._tail = (self._tail + chunk)[-_TAIL_BYTES:]

    def text(self) -> str:
        """What was printed last; waits a moment for the pipe's end, since a stranger may hold it open."""
        self._thread.join(_GRACE_SECONDS)
        return self._tail.decode(errors="replace")


def run_child(
    arguments: Sequence[str],
    *,
    working: Path,
    timeout_seconds: float,
    output_bytes_max: int,
    is_done: Callable[[], bool],
    known_processes: Callable[[], Collection[Process]],
) -> Ended:
    """Run a program in a session of its own, without stdin, to its end or to a limit; then end all that it started.

    Args:
        working: Its current folder.
        is_done: Whether it has done its work; from then on it has ten seconds to end.
        known_processes: What it said of its own children; asked after its end.
    """
    process = subprocess.Popen(
        arguments,
        cwd=working,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=sys.platform != "win32",
    )
    output = _Output(cast(IO[bytes], process.stdout))
    below: list[Process] = []
    try:
        ending = _wait(process, output, timeout_seconds, output_bytes_max, is_done)
    finally:
        if process.poll() is None:
            below = descendants(process.pid)
            process.kill()
            end_all(process.pid, below)
        process.wait()
    left = 0
    if ending is Ending.EXITED:
        left = _end_what_is_left(process.pid, known_processes())
    return Ended(ending, process.returncode, output.text(), left)


def _wait(
    process: "subprocess.Popen[bytes]",
    output: _Output,
    timeout_seconds: float,
    output_bytes_max: int,
    is_done: Callable[[], bool],
) -> Ending:
    deadline = monotonic() + timeout_seconds
    linger_until: float | None = None
    while True:
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        if output.bytes_read > output_bytes_max:
            return Ending.TOO_LOUD
        if process.returncode is not None:
            return Ending.EXITED
        moment = monotonic()
        if linger_until is None and is_done():
            linger_until = min(moment + _LINGER_SECONDS, deadline)
        if moment > (deadline if linger_until is None else linger_until):
            return Ending.TIMED_OUT if linger_until is None else Ending.LINGERED


def _end_what_is_left(leader_id: int, known: Collection[Process]) -> int:
    """The number of processes that outlived the child by more than the grace; they are killed."""
    deadline = monotonic() + _GRACE_SECONDS
    while True:
        left = left_behind(leader_id, known)
        count = max(len(left), 1 if group_is_alive(leader_id) else 0)
        if count == 0:
            return 0
        if monotonic() > deadline:
            end_all(leader_id, left)
            return count
        time.sleep(_POLL_SECONDS)
