"""A small HTTP server that answers as it is told, and a notebook whose cells run as those of IPython do."""

import json
import linecache
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mlp.client import Client


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What is sent back; ``then_close`` closes the connection without saying so."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    then_close: bool = False


class Web:
    """A real server on a free port; requests without a reply that was told wait until the server closes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: dict[tuple[str, str], list[Reply | Callable[[Request], Reply]]] = {}
        self.closing = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, parts.path, query, headers, body, self.client_address)
                web.requests.append(request)
                self.reply(request)

            def reply(self, request: Request) -> None:
                waiting = web.replies.get((request.method, request.path))
                if not waiting:
                    web.closing.wait(60)
                    return
                told = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                reply = told if isinstance(told, Reply) else told(request)
                if reply.status == 0:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
                self.close_connection = reply.then_close

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def tell(self, method: str, path: str, document: Any = None, *, status: int = 200, **options: Any) -> None:
        """Answer this call with a JSON document; told several times, one after the other, the last for good."""
        body = b"" if status == 204 else json.dumps(document).encode()
        self.replies.setdefault((method, path), []).append(Reply(status, body, **options))

    def tell_reply(self, method: str, path: str, reply: Reply | Callable[[Request], Reply]) -> None:
        self.replies.setdefault((method, path), []).append(reply)

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


@pytest.fixture
def client(web: Web) -> Iterator[Client]:
    with Client(web.url, "secret", timeout_seconds=10) as opened:
        yield opened


class Notebook:
    """Runs cells in one namespace as ``__main__``, their source kept by linecache under a name that is no file."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.filenames: list[str] = []

    def run(self, cell: str, *, filename: str | None = None, flags: int = 0) -> None:
        text = textwrap.dedent(cell)
        name = f"/tmp/ipykernel_1/{id(self)}_{len(self.filenames)}.py" if filename is None else filename
        self.filenames.append(name)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec", flags=flags, dont_inherit=True), self.namespace)

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def close(self) -> None:
        for name in self.filenames:
            linecache.cache.pop(name, None)


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    opened = Notebook()
    yield opened
    opened.close()
