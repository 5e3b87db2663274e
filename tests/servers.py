"""Real servers for tests: ``mlp serve`` in a process of its own, on a free port, on a folder of the test."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from mlp import Client

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerProcess:
    """One ``mlp serve``; started on making, ended by stop() or kill().

    Args:
        folder: The data folder.
        arguments: Further words of the command line.
        environment: Further variables.
    """

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self.log = folder.parent / f"{folder.name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlp", "serve", "--folder", str(folder), "--port", "0", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "MLP_LOG_FORMAT": "json", **environment},
                start_new_session=True,
            )
        self.url = ""
        self.client: Client

    @property
    def pid(self) -> int:
        """Of the process that owns the folder."""
        return self._process.pid

    def wait_ready(self) -> "ServerProcess":
        """This server, when it can predict."""
        self.wait_up()
        until(self._is_ready, START_SECONDS, self._trouble)
        return self

    def wait_up(self) -> "ServerProcess":
        """This server, when it answers at all."""
        until(self._has_address, START_SECONDS, self._trouble)
        self.client = Client(self.url, timeout_seconds=30)
        until(self._is_live, START_SECONDS, self._trouble)
        return self

    def _trouble(self) -> str:
        return f"exit code {self._process.poll()}, log:\n{self.log.read_text(errors='replace')[-4000:]}"

    def _has_address(self) -> bool:
        assert self._process.poll() is None, self._trouble()
        try:
            note = json.loads((self.folder / "server.json").read_text())
        except (OSError, ValueError):
            return False
        if note["pid"] != self._process.pid or note["url"] is None:
            return False
        self.url = note["url"]
        return True

    def _is_live(self) -> bool:
        return self.get("/health/live", raises=False).status == 200

    def _is_ready(self) -> bool:
        return self.get("/health/ready", raises=False).status == 200

    def get(self, path: str, *, raises: bool = True) -> urllib3.BaseHTTPResponse:
        """The answer to a GET; without ``raises`` a server that does not answer counts as status 599."""
        return self.send("GET", path, raises=raises)

    def send(
        self, method: str, path: str, body: bytes | None = None, *, raises: bool = True, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """The answer to any request, as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return urllib3.request(method, self.url + path, body=body, headers=named, timeout=30, retries=False)
        except urllib3.exceptions.HTTPError:
            if raises:
                raise
            return urllib3.HTTPResponse(status=599)

    def ask(self, path: str, document: Any, method: str = "POST") -> urllib3.BaseHTTPResponse:
        """The answer to a JSON document."""
        return self.send(method, path, json.dumps(document).encode(), content_type="application/json")

    def metric(self, pattern: str) -> float:
        """The sum of the series whose name and labels match a pattern; 0 where there is none."""
        text = self.get("/metrics").data.decode()
        return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE))

    def kill(self) -> None:
        """End it as a power cut would end it, with everything it started."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def wait_ended(self) -> int:
        """Its exit code, when it has ended by itself."""
        return self._process.wait(START_SECONDS)


def until(condition: Callable[[], bool], timeout_seconds: float, trouble: Callable[[], str] = lambda: "") -> None:
    """Return when the condition holds; fail with the trouble when it never does."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_seconds:g} s: {trouble()}"
        time.sleep(0.02)


Serve = Callable[..., ServerProcess]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers on folders below tmp_path; whatever still runs at the end of the test is killed."""
    started: list[ServerProcess] = []

    def start(*arguments: str, folder: str = "data", is_waiting: bool = True, **environment: str) -> ServerProcess:
        server = ServerProcess(tmp_path / folder, *arguments, **environment)
        started.append(server)
        return server.wait_ready() if is_waiting else server

    yield start
    for server in started:
        server.kill()
