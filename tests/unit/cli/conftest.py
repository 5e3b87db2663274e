"""A server in a few lines for the commands to talk to: answers by method and path, and what was asked."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from mlp.client import Client
from mlp.client.transport import Body, Response

#: What a path answers: a document, or a function of the decoded body that returns one.
Answers = dict[tuple[str, str], Any]


#: Starts a server that answers each path with its document, whatever the method; its address.
ServePages = Callable[[dict[str, Any]], str]


class ScriptedTransport:
    """A transport that answers from a table and keeps the bodies that it was sent."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.sent: list[tuple[str, str, Any]] = []

    @property
    def address(self) -> str:
        return "scripted"

    def send(self, method: str, path: str, *, body: Body | None, **_details: Any) -> Response:
        document = msgspec.json.decode(body) if isinstance(body, bytes) else None
        self.sent.append((method, path, document))
        answer = self._answers[method, path]
        if callable(answer):
            answer = answer(document)
        status = answer.get("status", 200) if isinstance(answer, dict) else 200
        is_problem = isinstance(status, int) and status >= 400
        kind = "application/problem+json" if is_problem else "application/json"
        return Response(status if is_problem else 200, {"content-type": kind}, msgspec.json.encode(answer))

    def close(self) -> None:
        return


@pytest.fixture
def scripted() -> Callable[[Answers], tuple[Client, ScriptedTransport]]:
    """Makes a client of such a server."""

    def make(answers: Answers) -> tuple[Client, ScriptedTransport]:
        transport = ScriptedTransport(answers)
        return Client(transport=transport), transport

    return make


@pytest.fixture
def serve_pages() -> Iterator[ServePages]:
    """Servers over HTTP, which end with the test; what they have no document for is not found."""
    servers: list[ThreadingHTTPServer] = []

    def start(pages: dict[str, Any]) -> str:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                missing = {"status": 404, "code": "not_found", "detail": "no such path"}
                page = pages.get(self.path, missing)
                body = msgspec.json.encode(page)
                status = page.get("status") if isinstance(page, dict) else None
                self.send_response(status if isinstance(status, int) else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # the names that http.server looks for

            def log_request(self, *_details: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for each in servers:
        each.shutdown()
        each.server_close()
