"""The product's own processes, each started again when it ends, as a container is by ``restart: unless-stopped``."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.processes import CONTINUE, KILL, TERMINATE, children_of, descendants_of, send, wait_gone

_LOOK_SECONDS = 0.05
#: Docker's pause before a first restart (documentation of restart policies): 100 ms.
_RESTART_SECONDS = 0.1
#: As stop_grace_period of the worker in docker-compose.yaml; then Docker kills.
STOP_SECONDS = 45.0
_GONE_SECONDS = 5.0
_CHILDREN_SECONDS = 1.0
#: Stands for an exit code where there was none in time.
SLOW_STOP = 999


@dataclass(frozen=True)
class MemberPlan:
    """How a process is started, and where it says that it is well.

    Attributes:
        name: ``api-1``, ``worker-2``.
        health: Path of its container's health check.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    port: int
    health: str


class Member:
    """A process that runs from start() to close(), apart from the moments after its deaths.

    Attributes:
        orphans: Processes that outlived their parent by more than five seconds.
        exits: When (monotonic), and with which code, it ended although nobody had ordered that; SLOW_STOP: it had been
            ordered, and took too long.
    """

    def __init__(self, plan: MemberPlan) -> None:
        self.plan = plan
        self.orphans: list[int] = []
        self.exits: list[tuple[float, int]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_wanted = False
        self._is_expected_to_end = False
        self._children: list[int] = []
        self._children_seen_at = 0.0

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def pid(self) -> int:
        """Of the main process; 0 while there is none."""
        process = self._process
        return 0 if process is None or process.poll() is not None else process.pid

    def children(self) -> list[int]:
        """The processes that it has started."""
        return children_of(self.pid) if self.pid else []

    def start(self) -> None:
        """Have it run from now on."""
        with self._lock:
            self._is_wanted = True
            self._run()

    def kill(self) -> None:
        """End the main process alone, as kill -9 does."""
        self._end_by(KILL)

    def restart(self) -> None:
        """Ask it to end, as ``docker restart`` does; it is killed if it has not ended in time."""
        process = self._process
        self._end_by(TERMINATE)
        if process is not None:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.exits.append((time.monotonic(), SLOW_STOP))
                send([process.pid], KILL)

    def signal(self, number: int) -> None:
        """A signal to it and all that it started."""
        if self.pid:
            send([self.pid, *descendants_of(self.pid)], number)

    def look(self) -> None:
        """Start it again if it has ended; for the supervisor."""
        with self._lock:
            process = self._process
            if process is None or not self._is_wanted:
                return
            code = process.poll()
            if code is None:
                # Each look reads all of /proc.
                if time.monotonic() > self._children_seen_at + _CHILDREN_SECONDS:
                    self._children = descendants_of(process.pid)
                    self._children_seen_at = time.monotonic()
                return
            if not self._is_expected_to_end and code != -KILL:  # at a crash point it kills itself
                self.exits.append((time.monotonic(), code))
            self._is_expected_to_end = False
            # Those that stand still cannot see that their parent has gone: PR_SET_PDEATHSIG kills them all the same.
            late = wait_gone(self._children, _GONE_SECONDS)
            send(late, KILL)
            self.orphans += late
            time.sleep(_RESTART_SECONDS)
            self._run()

    def close(self) -> None:
        """End it and all that it started, for good."""
        with self._lock:
            self._is_wanted = False
        if self._process is not None:
            below = descendants_of(self._process.pid)
            send([self._process.pid, *below], KILL)
            send([self._process.pid, *below], CONTINUE)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            send(wait_gone([*below, *self._children], 1.0), KILL)

    def _end_by(self, number: int) -> None:
        if self.pid:
            self._children = descendants_of(self.pid)
            self._is_expected_to_end = True
            send([self.pid], number)

    def _run(self) -> None:
        with self.plan.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.plan.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.plan.environment},
                start_new_session=True,
            )
        self._children = []


class Supervisor:
    """The thread that starts ended members again, from start() to close()."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(member,), name=f"supervise-{member.name}", daemon=True)
            for member in members
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Start nothing any more."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_SECONDS)

    def _watch(self, member: Member) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            member.look()
