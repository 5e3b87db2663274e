"""A real Alertmanager for tests, on a free port, and those whom it tells: a webhook and a mail server."""

import json
import queue
import re
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.servers import STOP_SECONDS, until

START_SECONDS = 30.0
_LISTENING = re.compile(r'Listening on" address=(\S+)')


def alertmanager_program() -> str:
    """The program of Debian's package, or of Prometheus' own archive; the test is skipped where there is neither."""
    for name in ("prometheus-alertmanager", "alertmanager"):
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip("needs Alertmanager (apt-get install prometheus-alertmanager)")


@contextmanager
def running_alertmanager(folder: Path, configuration: str) -> Iterator[str]:
    """The address of an Alertmanager with this configuration; it is gone at the end."""
    program = alertmanager_program()
    folder.joinpath("alertmanager.yml").write_text(configuration, encoding="utf-8")
    log = folder / "alertmanager.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                "--web.listen-address=127.0.0.1:0",
                "--cluster.listen-address=",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: _LISTENING.search(log.read_text()) is not None, START_SECONDS, log.read_text)
        found = _LISTENING.search(log.read_text())
        assert found is not None
        yield f"http://{found[1]}"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


class Webhook(ThreadingHTTPServer):
    """Keeps what it is sent, and answers with one status.

    Args:
        status: Of every answer.
    """

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _WebhookRequest)
        self.status = status
        self.received: queue.Queue[Any] = queue.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/alerts"


class _WebhookRequest(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.put(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much of SMTP (RFC 5321) as it takes to be given a message, and keeps it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailSession)
        self.received: queue.Queue[str] = queue.Queue()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            verb = line.strip().upper()
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.server.received.put(self._message())
            self.wfile.write(b"250 done\r\n")

    def _message(self) -> str:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.decode())
        return "".join(lines)


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """The server, answering in a thread of its own until the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(STOP_SECONDS)
        server.server_close()
