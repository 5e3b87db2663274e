"""Calls in other languages: pasted, run, and what arrives compared with what was meant."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest

from mlp.registry.calls import Language, render_call

AWKWARD_ROWS: list[Any] = [
    {
        "carrier": 'O\'Hare "UA" $HOME `id` \\n !! %s @file',
        "größe": 0.1 + 0.2,
        "count": 9007199254740993,
        "ok": True,
        "none": None,
        "emoji": "\U0001f600\u2028",
        "nested": [[1, 2.5], [-3, 1e300]],
        "__proto__": 1,
    },
    ["</script>", "'; rm -rf /", "line\nbreak\ttab"],
]
PLAIN_ROWS: list[Any] = [{"carrier": "UA", "distance": 1400, "late": False, "wind": None, "temp": -3.5}]


class Seen:
    """What the listening server was sent."""

    path = ""
    body: Any = None
    content_type = ""
    authorization: str | None = None


@pytest.fixture
def seen() -> Iterator[tuple[str, Seen]]:
    """The address of a server on loopback, and what it was sent."""
    sent = Seen()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.path = self.path
            sent.content_type = self.headers["Content-Type"]
            sent.authorization = self.headers.get("Authorization")
            sent.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = b'{"predictions": [{"value": 12.5}]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    thread.join(10)
    server.server_close()


def run_as_pasted(language: Language, call: str, folder: Path) -> str:
    """What the call prints when it is pasted where it belongs."""
    if language == "curl":
        command = [shutil.which("sh") or "", "-c", call]
    elif language == "node":
        (folder / "call.mjs").write_text(call, encoding="utf-8")
        command = [shutil.which("node") or "", "call.mjs"]
    else:
        (folder / "call.py").write_text(call, encoding="utf-8")
        command = [sys.executable, "-I", "-W", "error", "call.py"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "MLP_API_KEY": "s3cret+/=", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def skip_without(language: Language) -> None:
    needed = {"curl": ("sh", "curl"), "node": ("node",), "python": ()}[language]
    if any(shutil.which(name) is None for name in needed):
        pytest.skip(f"only on machines with {' and '.join(needed)}")


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("rows", [PLAIN_ROWS, AWKWARD_ROWS], ids=["plain", "awkward"])
def test_call_that_is_pasted_sends_exactly_the_rows(
    seen: tuple[str, Seen], tmp_path: Path, language: Language, rows: list[Any]
) -> None:
    skip_without(language)
    url, sent = seen

    printed = run_as_pasted(language, render_call(language, url + "/", "Büro 1'2", rows), tmp_path)

    assert sent.path == "/v1/models/B%C3%BCro%201%272/predict"
    assert sent.body == {"rows": rows}
    assert sent.content_type == "application/json"
    assert sent.authorization is None
    assert json.loads(printed) == {"predictions": [{"value": 12.5}]}


@pytest.mark.parametrize("language", get_args(Language))
def test_call_with_a_key_takes_it_from_the_environment(
    seen: tuple[str, Seen], tmp_path: Path, language: Language
) -> None:
    skip_without(language)
    url, sent = seen
    call = render_call(language, url, "churn", PLAIN_ROWS, has_key=True)

    run_as_pasted(language, call, tmp_path)

    assert sent.authorization == "Bearer s3cret+/="
    assert "s3cret" not in call


def test_call_with_curl_reads_well() -> None:
    call = render_call("curl", "http://localhost:4789", "churn", [{"age": 7}])

    assert call == (
        "curl -sS 'http://localhost:4789/v1/models/churn/predict' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        '  -d \'{"rows": [{"age": 7}]}\''
    )


def test_call_with_node_reads_well() -> None:
    call = render_call("node", "http://localhost:4789", "churn", [{"age": 7}])

    assert '  body: JSON.stringify({"rows": [{"age": 7}]}),\n' in call


def test_call_with_python_needs_the_standard_library_alone() -> None:
    call = render_call("python", "http://localhost:4789", "churn", [{"age": 7}])

    assert [line for line in call.splitlines() if "import" in line] == ["import json", "import urllib.request"]


@pytest.mark.parametrize("language", ["curl", "node", "python"])
def test_call_of_a_version_names_it(language: Language) -> None:
    call = render_call(language, "http://localhost:4789", "churn", [{"age": 41}], version="2")

    assert "http://localhost:4789/v1/models/churn/versions/2/predict" in call
