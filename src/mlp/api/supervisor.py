"""Several processes on one socket: the parent owns the folder, starts the children, and replaces one that dies."""

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import threading
from contextlib import closing
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from mlp.api.process import greeting, run_server
from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import MLPError
from mlp.observability import logging as log_lines
from mlp.role import role_of_server

_log = logging.getLogger(__name__)
_SPAWN = multiprocessing.get_context("spawn")
#: A child that dies sooner than this after its start is started again only after a pause of the same length.
_QUICK_DEATH_SECONDS = 2.0


def supervise(settings: Settings, listener: socket.socket, url: str) -> None:
    """Run the children until SIGINT or SIGTERM, then stop them gracefully."""
    from mlp.stack import open_database
    from mlp.storage import schema

    if role_of_server(settings, is_leader=True).migrates:
        with closing(open_database(settings)) as database:
            schema.upgrade(database)
    # Where the processes of this server keep their numbers while it runs.
    folder = settings.folder / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # prometheus_client chooses its multiprocess mode when it is imported, by this variable, in the children.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder.absolute())  # noqa: TID251
    _Supervisor(settings, listener, url).run()


class _Supervisor:
    """The children of one server, by their index; index 0 does what must be done once."""

    def __init__(self, settings: Settings, listener: socket.socket, url: str) -> None:
        self._settings = settings
        self._listener = listener
        self._url = url
        self._stopping = threading.Event()
        self._children: dict[int, tuple[SpawnProcess, float]] = {}

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        for index in range(self._settings.processes):
            self._start(index)
        try:
            while not self._stopping.wait(0.25):
                self._replace_dead()
        finally:
            self._stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()

    def _start(self, index: int) -> None:
        greeted_url = self._url if index == 0 and index not in self._children else None
        child = _SPAWN.Process(target=_serve_child, args=(self._settings, self._listener, index, greeted_url))
        child.start()
        self._children[index] = (child, monotonic())

    def _replace_dead(self) -> None:
        from mlp.observability.metrics import forget_process

        for index, (child, started_at) in list(self._children.items()):
            if child.is_alive():
                continue
            if monotonic() - started_at < _QUICK_DEATH_SECONDS and self._stopping.wait(_QUICK_DEATH_SECONDS):
                return
            _log.error("a process ended and is started again", extra={"pid": child.pid, "exit_code": child.exitcode})
            if child.pid is not None:
                forget_process(child.pid)
            self._start(index)

    def _stop(self) -> None:
        for child, _started_at in self._children.values():
            if child.is_alive():
                child.terminate()
        deadline = monotonic() + self._settings.drain_seconds + 2 * self._settings.shutdown_seconds
        for child, _started_at in self._children.values():
            child.join(max(0.1, deadline - monotonic()))
            if child.is_alive():
                child.kill()
                child.join(self._settings.shutdown_seconds)


def _serve_child(settings: Settings, listener: socket.socket, index: int, greeted_url: str | None) -> None:
    """One child: its own stack on the shared socket; it greets where it is given the address to name."""
    log_lines.set_up(settings.log_level, settings.log_format)
    from mlp.api.app import create_app
    from mlp.stack import Stack

    try:
        stack = Stack(settings, is_leader=index == 0)
        app: Any = create_app(stack)
    except MLPError as error:
        _log.error("a process cannot start: %s", error)
        raise SystemExit(1) from error
    run_server(app, stack, settings, listener, None if greeted_url is None else lambda: greeting(stack, greeted_url))
