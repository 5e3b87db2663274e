"""Programs that speak HTTP, played by a small server; the others are asked for real in tests/integration."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mlp.api import probes
from mlp.api.probes import Reply
from mlp.api.reaching import NoAnswer, Trouble
from mlp.api.slow_stages import slow_stages
from mlp.config import Settings

#: What each path answers: a status and a document, or text that is none.
Pages = dict[str, tuple[int, Any]]


@pytest.fixture
def program() -> Iterator[Callable[[Pages], str]]:
    """Starts a program that answers so; its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(pages: Pages) -> str:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, page = pages.get(self.path, (404, "not here"))
                body = page.encode() if isinstance(page, str) else json.dumps(page).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, *_details: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refusal(ask: Callable[[Settings], Reply], settings: Settings) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        ask(settings)
    return caught.value


def test_grafana_that_is_well_tells_its_version(program: Callable[[Pages], str]) -> None:
    url = program({"/api/health": (200, {"database": "ok", "version": "13.2.0"})})

    reply = probes.ask_grafana(Settings(grafana_url=url))

    assert (reply.version, reply.trouble) == ("13.2.0", "")
    assert 0 < reply.latency_ms < 3000


def test_grafana_that_hides_its_version_is_well(program: Callable[[Pages], str]) -> None:
    url = program({"/api/health": (200, {"database": "ok"})})

    assert probes.ask_grafana(Settings(grafana_url=url)).version is None


def test_grafana_with_a_broken_database_is_in_trouble(program: Callable[[Pages], str]) -> None:
    url = program({"/api/health": (200, {"database": "failing", "version": "13.2.0"})})

    assert probes.ask_grafana(Settings(grafana_url=url)).trouble == "its own database is failing"


@pytest.mark.parametrize(
    ("status", "page", "trouble"),
    [
        (200, "<html>", Trouble.OTHER),
        (200, ["a list"], Trouble.OTHER),
        (503, {}, Trouble.OTHER),
        (401, {}, Trouble.PASSWORD),
        (403, {}, Trouble.PASSWORD),
    ],
)
def test_grafana_that_answers_otherwise_is_no_answer(
    program: Callable[[Pages], str], status: int, page: Any, trouble: Trouble
) -> None:
    url = program({"/api/health": (status, page)})

    assert refusal(probes.ask_grafana, Settings(grafana_url=url)).trouble is trouble


@pytest.mark.parametrize("path", ["", "/", "/ping"])
def test_traefik_is_asked_for_its_ping(program: Callable[[Pages], str], path: str) -> None:
    url = program({"/ping": (200, "OK")})

    reply = probes.ask_traefik(Settings(traefik_url=url + path))

    assert (reply.version, reply.trouble) == (None, "")


def test_traefik_without_a_ping_is_no_answer(program: Callable[[Pages], str]) -> None:
    no_answer = refusal(probes.ask_traefik, Settings(traefik_url=program({})))

    assert no_answer.detail.endswith("/ping answers with status 404")


def test_prometheus_that_is_another_program_is_no_answer(program: Callable[[Pages], str]) -> None:
    url = program({"/api/v1/status/buildinfo": (200, {"status": "success"})})

    assert "another program listens there" in refusal(probes.ask_prometheus, Settings(prometheus_url=url)).detail
    with pytest.raises(NoAnswer, match="does not answer the query"):
        slow_stages(url)


def test_prometheus_that_is_away_gives_no_stages(program: Callable[[Pages], str]) -> None:
    with pytest.raises(NoAnswer, match="Prometheus: "):
        slow_stages("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("ask", "module", "settings"),
    [
        (probes.ask_broker, "kombu", Settings(broker_url="pyamqp://127.0.0.1/")),
        (probes.ask_cache, "redis", Settings(redis_url="redis://127.0.0.1/")),
    ],
)
def test_driver_that_is_not_installed_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[Settings], Reply], module: str, settings: Settings
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    assert refusal(ask, settings).detail.endswith('is not installed: pip install "mlp-stack[stack]"')


@pytest.mark.parametrize("url", ["mysql://host/name", "no address"])
def test_address_that_is_no_database_is_no_answer(url: str) -> None:
    assert "DATABASE_URL" in refusal(probes.ask_database, Settings(database_url=url)).detail
