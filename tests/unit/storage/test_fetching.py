"""Artefacts fetched from another server: the right bytes are kept, and every failure says what to do."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlp.errors import ArtefactCorrupt, BodyTooLarge, Unauthorised, Unavailable
from mlp.storage.artefacts import ArtefactStore
from mlp.storage.fetching import ArtefactSource
from mlp.storage.incoming import Incoming
from tests.models import sign_model
from tests.servers import Serve
from tests.versions import zip_bytes

KEY = "s3cret"
CONTENT = zip_bytes({"mlp.toml": b"[model]\n", "model.joblib": bytes(range(256)) * 4000})
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_details: object) -> None:
        """Nothing: a client that has heard enough breaks off."""


@contextmanager
def answering(status: int, content: bytes, *, declared_bytes: int | None = None) -> Iterator[str]:
    """The address of a server that gives everybody this answer."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept, as uvicorn keeps them

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(content) if declared_bytes is None else declared_bytes))
            self.end_headers()
            self.wfile.write(content)
            if declared_bytes is not None:
                self.close_connection = True

        def log_message(self, *_details: object) -> None:
            return

    with QuietServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def store_of(folder: Path, url: str, key: str | None = None, limit_bytes: int = 10**8) -> ArtefactStore:
    return ArtefactStore(folder, unpacked_bytes_max=limit_bytes, source=ArtefactSource(url, key))


def incoming(folder: Path) -> Incoming:
    return Incoming(folder / "incoming.zip", 10**8)


def kept(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.zip")]


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, KEY])
def test_artefact_of_a_server_is_fetched_kept_and_opened(serve: Serve, tmp_path: Path, key: str | None) -> None:
    server = serve() if key is None else serve(MLP_API_KEY=key)
    with closing(type(server.client)(server.url, api_key=key)) as client:
        version = client.models.add("sign", sign_model(tmp_path / "sign"))
    store = store_of(tmp_path / "there", f"{server.url}/", key)

    folder = store.open_folder(version.digest)

    assert (folder / "mlp.toml").read_text() == (tmp_path / "sign" / "mlp.toml").read_text()
    assert kept(tmp_path / "there") == [f"{version.digest}.zip"]
    server.kill()
    assert store.open_folder(version.digest) == folder


@pytest.mark.slow
def test_artefact_that_the_server_lacks_is_missing_each_time_it_is_asked_for(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    store = store_of(tmp_path / "there", server.url)

    for _ in range(3):
        with pytest.raises(ArtefactCorrupt, match="neither here nor at") as refused:
            store.open_folder(DIGEST)
        assert refused.value.extra == {"digest": DIGEST}
    assert kept(tmp_path / "there") == []


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, "wrong"])
def test_server_that_asks_for_another_key_names_the_variable(serve: Serve, tmp_path: Path, key: str | None) -> None:
    server = serve(MLP_API_KEY=KEY)

    with pytest.raises(Unauthorised, match="set MLP_API_KEY to that of the server"):
        store_of(tmp_path / "there", server.url, key).open_folder(DIGEST)


def test_content_of_another_digest_is_refused_and_not_kept(tmp_path: Path) -> None:
    with answering(200, CONTENT[:-1] + b"x") as url, pytest.raises(ArtefactCorrupt, match="SHA-256") as refused:
        store_of(tmp_path, url).open_folder(DIGEST)

    assert refused.value.extra == {"digest": DIGEST}
    assert kept(tmp_path) == []


def test_server_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with (
        answering(200, CONTENT[:1000], declared_bytes=len(CONTENT)) as url,
        pytest.raises(Unavailable, match="cannot be fetched"),
    ):
        store_of(tmp_path, url).open_folder(DIGEST)

    assert kept(tmp_path) == []


def test_content_larger_than_allowed_leaves_nothing_and_the_next_one_is_fetched(tmp_path: Path) -> None:
    with answering(200, CONTENT) as url:
        source = ArtefactSource(url, None)
        with pytest.raises(BodyTooLarge):
            ArtefactStore(tmp_path / "small", unpacked_bytes_max=1000, source=source).open_folder(DIGEST)

        ArtefactStore(tmp_path / "large", source=source).open_folder(DIGEST)

    assert kept(tmp_path / "small") == []
    assert kept(tmp_path / "large") == [f"{DIGEST}.zip"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorised), (404, ArtefactCorrupt), (307, Unavailable), (500, Unavailable), (503, Unavailable)],
)
def test_refusal_is_told_as_it_is_each_time(tmp_path: Path, status: int, error: type[Exception]) -> None:
    with answering(status, b"no" * 50_000) as url:
        source = ArtefactSource(url, None)

        for _ in range(3):
            with closing_incoming(tmp_path) as file, pytest.raises(error, match=url.removeprefix("http://")) as told:
                source.fetch(DIGEST, file)
            assert type(told.value) is error
            assert "cannot be fetched" not in str(told.value) or f"answered {status}" in str(told.value)


@contextmanager
def closing_incoming(folder: Path) -> Iterator[Incoming]:
    file = incoming(folder)
    try:
        yield file
    finally:
        file.discard()


@pytest.mark.parametrize("address", ["not-http://127.0.0.1", "http://127.0.0.1:1", "http://"])
def test_server_that_cannot_be_reached_is_unavailable(tmp_path: Path, address: str) -> None:
    with closing_incoming(tmp_path) as file, pytest.raises(Unavailable, match="cannot be fetched"):
        ArtefactSource(address, None).fetch(DIGEST, file)


def test_key_goes_along_as_a_bearer_token_only_where_there_is_one(tmp_path: Path) -> None:
    asked: list[str | None] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["authorization"])
            self.send_error(404)

        def log_message(self, *_details: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for key in (None, KEY):
            with closing_incoming(tmp_path) as file, pytest.raises(ArtefactCorrupt):
                ArtefactSource(url, key).fetch(DIGEST, file)
        server.shutdown()

    assert asked == [None, f"Bearer {KEY}"]
