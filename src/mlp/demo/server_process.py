"""The real server as a child process: started, waited for, and stopped on every way out."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from mlp.client import Client
from mlp.errors import Conflict, ServerUnreachable, Unavailable

USUAL_PORT = 4789
READY_SECONDS_MAX = 60.0
# The server answers what is under way and empties its spool; then it is made to stop.
_STOP_SECONDS_MAX = 30.0
_LOOK_EVERY_SECONDS = 0.1
_PROBE_SECONDS_MAX = 2.0
_LOG_LINES_SHOWN = 8


class ServerProcess:
    """``mlp serve`` on one folder. Writes what the server says into ``log``.

    It has a process group of its own, so that Ctrl-C reaches the demo alone, which then stops it in good order.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.log = folder / "server.log"
        self._command = [sys.executable, "-m", "mlp", "serve", "--folder", str(folder), "--port", str(port)]
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens. The number, since some systems look up ``localhost`` among IPv6 addresses first."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it; returns at once."""
        environment = _own_environment()
        with self.log.open("ab") as log:
            if sys.platform == "win32":
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
                )
            else:
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )

    def wait_until_ready(self) -> None:
        """Block until the server can predict.

        Raises:
            ServerUnreachable: It ended, or was not ready within READY_SECONDS_MAX; with the end of its log.
        """
        deadline = time.monotonic() + READY_SECONDS_MAX
        with Client(self.url, timeout_seconds=_PROBE_SECONDS_MAX) as client:
            while self.is_running and time.monotonic() < deadline:
                try:
                    if client.ready().is_ready:
                        return
                except Unavailable:
                    pass  # it does not listen yet
                time.sleep(_LOOK_EVERY_SECONDS)
        happened = f"was not ready within {READY_SECONDS_MAX:g} s" if self.is_running else "ended before it was ready"
        raise ServerUnreachable(f"the server {happened}; {self._end_of_log()}")

    def wait(self) -> NoReturn:
        """Block for as long as it runs; Ctrl-C gets through.

        Raises:
            ServerUnreachable: It ended by itself; with the end of its log.
        """
        while self.is_running:
            time.sleep(_LOOK_EVERY_SECONDS)
        raise ServerUnreachable(f"the server ended; {self._end_of_log()}")

    def stop(self) -> None:
        """Ask it to stop, wait, and end it if it does not; may be called twice."""
        child = self._child
        if child is None or child.poll() is not None:
            return
        if sys.platform == "win32":
            child.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            child.terminate()
        try:
            child.wait(_STOP_SECONDS_MAX)
        finally:
            # Also when a second Ctrl-C cuts the waiting short: nothing of the demo outlives it.
            if child.poll() is None:
                child.kill()
                child.wait()

    def _end_of_log(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"the end of {self.log}:", *lines[-_LOG_LINES_SHOWN:]])


@contextmanager
def running_server(folder: Path, port: int) -> Iterator[ServerProcess]:
    """A started server, stopped when the block is left: by its end, an error, Ctrl-C, or a signal that ends processes.

    To be entered in the main thread, where signals arrive.
    """
    server = ServerProcess(folder, port)
    with _signals_raise():
        try:
            server.start()
            yield server
        finally:
            server.stop()


def choose_port(asked: int | None) -> int:
    """The port asked for; without one, 4789 or, when that is taken, a free one.

    Raises:
        Conflict: Another program has the port that was asked for.
    """
    if asked is not None:
        if not _is_free(asked):
            raise Conflict(f"port {asked} is taken by another program: choose one with --port, or leave it out")
        return asked
    if _is_free(USUAL_PORT):
        return USUAL_PORT
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free: int = listener.getsockname()[1]
        return free


def _own_environment() -> dict[str, str]:
    """This process's environment without the settings of other servers, such as a database that is not the demo's.

    One thread runs a call of the model, since the other cores are busy with the demo's own requests: OpenMP's threads
    wait for each other in loops, and 6 ms of one thread become 30 ms of two.
    """
    everything = os.environ.items()  # noqa: TID251 - handed on to a child process, not read
    inherited = {name: value for name, value in everything if not name.startswith("MLP_") and name != "DATABASE_URL"}
    return {**inherited, "MLP_MODEL_THREADS": "1"}


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        if sys.platform != "win32":
            # As the server does: a port whose old connections have not faded away is free. On Windows the option
            # would mean that a port in use may be taken over.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def _signals_raise() -> Iterator[None]:
    """While in the block, a signal that would end this process at once raises SystemExit, so that ``finally`` runs."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    caught = [signal.SIGTERM]
    if sys.platform != "win32":
        caught.append(signal.SIGHUP)
    earlier = {number: signal.signal(number, leave) for number in caught}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
