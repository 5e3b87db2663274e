"""A worker's own small HTTP: its metrics for Prometheus, and whether it lives for the container's health check."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlp.errors import ConfigurationInvalid
from mlp.observability import metrics
from mlp.worker.fork_gate import ForkGate

_TIMEOUT_SECONDS = 10.0


class Exposition:
    """Answers ``/metrics`` and ``/health/live`` on a port, in threads of its own, from start() to close().

    Args:
        port: 0 takes a free one.
        check: What ``/health/live`` says, and whether the worker is well.

    Raises:
        ConfigurationInvalid: The port is in use.
    """

    def __init__(self, port: int, gate: ForkGate, check: Callable[[], tuple[bool, dict[str, Any]]]) -> None:
        handler = type("Handler", (_Handler,), {"gate": gate, "check": staticmethod(check)})
        try:
            # Every address of the container: Prometheus comes from another one.
            self._server = _Server(("", port), handler)
        except OSError as error:
            raise ConfigurationInvalid(f"MLP_WORKER_PORT {port} cannot be listened on: {error.strerror}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="mlp-exposition", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def fileno(self) -> int:
        """The listening socket, which a forked child closes."""
        return self._server.fileno()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Nothing: who breaks off asks again."""


class _Handler(BaseHTTPRequestHandler):
    gate: ForkGate
    check: Callable[[], tuple[bool, dict[str, Any]]]
    timeout = _TIMEOUT_SECONDS
    server_version = "mlp"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path == "/metrics":
            with self.gate.inside():
                body = metrics.render()
            self._answer(200, metrics.CONTENT_TYPE, body)
        elif self.path == "/health/live":
            is_well, report = self.check()
            self._answer(200 if is_well else 503, "application/json", json.dumps(report).encode())
        else:
            self._answer(404, "text/plain", b"there are /metrics and /health/live\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: who asks every few seconds is no news."""
