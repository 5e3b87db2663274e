"""Artefacts that rot, own code that misbehaves, a full disk: the old version goes on, and the reason is shown."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlp.errors import AcceptanceFailed, ArtefactCorrupt, DeadlineExceeded, ModelFailed, TooManyRequests
from tests.models import sign_model
from tests.servers import Serve, ServerProcess, until

pytestmark = pytest.mark.slow


def test_corrupted_artefact_is_refused_and_the_old_version_goes_on(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    client = server.client
    client.models.add("sign", sign_model(tmp_path / "one"))
    second = client.models.add("sign", sign_model(tmp_path / "two", bias=-10.0))
    (artefact,) = server.folder.rglob(f"{second.digest}.zip")
    content = bytearray(artefact.read_bytes())
    content[len(content) // 2] ^= 0xFF
    artefact.write_bytes(content)

    with pytest.raises(ArtefactCorrupt, match=r"SHA-256|checksum|digest"):
        client.models.promote("sign", second.version)

    assert client.predict("sign", [[1, 1]]).version == "1"
    assert client.models.show("sign").aliases == {"champion": "1"}


def test_champion_corrupted_between_two_starts_is_named_by_readiness(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    version = server.client.models.add("sign", sign_model(tmp_path / "one"))
    server.client.models.add("other", sign_model(tmp_path / "other", bias=1.0))
    server.stop()
    for path in server.folder.rglob(f"{version.digest}*"):
        if path.is_file():
            path.write_bytes(b"rotten")

    again = serve()

    until(lambda: json.loads(again.get("/health/ready").data)["status"] == "degraded", 20)
    report = json.loads(again.get("/health/ready").data)
    assert report["models"]["sign"]["status"] == "degraded"
    assert report["models"]["other"]["status"] == "ready"
    assert again.client.predict("other", [[1, 1]]).version == "1"
    with pytest.raises(ArtefactCorrupt):
        again.client.predict("sign", [[1, 1]])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("raise RuntimeError('out of cheese')", "RuntimeError: out of cheese"),
        ("os._exit(3)", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("time.sleep(600)", "did not finish within 20 s"),
    ],
)
def test_own_code_that_misbehaves_is_refused_at_registration(
    serve: Serve, tmp_path: Path, lines: str, message: str
) -> None:
    server = serve(MLP_ACCEPTANCE_SECONDS="20")

    with pytest.raises(AcceptanceFailed, match=message):
        server.client.models.add("bad", sign_model(tmp_path / "bad", at_predict=lines))

    assert server.client.models.list() == []
    assert server.get("/health/ready").status == 200


def test_own_code_that_raises_in_service_fails_its_request_only(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    raising = "assert not (frame['x'] == 666).any(), 'no such number'"
    server.client.models.add("sign", sign_model(tmp_path / "one", at_predict=raising))

    with pytest.raises(ModelFailed, match="no such number"):
        server.client.predict("sign", [[666, 1]])

    assert server.client.predict("sign", [[1, 1]]).predictions[0].label is True


def test_own_code_that_hangs_in_service_is_given_up_and_others_are_served(serve: Serve, tmp_path: Path) -> None:
    server = serve(MLP_PREDICT_TIMEOUT_SECONDS="1", MLP_SHUTDOWN_SECONDS="1")
    hanging = "time.sleep(3600 if (frame['x'] == 666).any() else 0)"
    server.client.models.add("stuck", sign_model(tmp_path / "stuck", at_predict=hanging))
    server.client.models.add("fine", sign_model(tmp_path / "fine"))

    with pytest.raises(DeadlineExceeded):
        server.client.predict("stuck", [[666, 1]])
    with pytest.raises((DeadlineExceeded, TooManyRequests)):
        server.client.predict("stuck", [[1, 1]])

    assert server.client.predict("fine", [[1, 1]]).predictions[0].label is True
    assert server.get("/health/live").status == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB that really fills up; needs root, as CI is."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a small disk")
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def recording(server: ServerProcess) -> str:
    return str(json.loads(server.get("/health/ready").data)["components"]["recording"]["status"])


def test_full_disk_predictions_go_on_and_everything_else_says_so(
    serve: Serve, small_disk: Path, tmp_path: Path
) -> None:
    server = serve(folder="disk/data")
    client = server.client
    client.models.add("sign", sign_model(tmp_path / "one"))
    before = client.predict("sign", [[1, 1]]).id
    until(lambda: server.get(f"/v1/inferences/{before}").status == 200, 20)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass

    assert client.predict("sign", [[1, 1]]).predictions[0].label is True
    until(lambda: recording(server) == "degraded", 20)
    label = server.ask("/v1/feedback", {"model": "sign", "labels": [{"label": True, "key": "k"}]})
    upload = server.send("POST", "/v1/models/new/versions", b"PK" + b"x" * 100_000, content_type="application/zip")
    assert (label.status, json.loads(label.data)["code"]) == (507, "storage_full")
    assert (upload.status, json.loads(upload.data)["code"]) == (507, "storage_full")

    ballast.unlink()
    after = client.predict("sign", [[1, 1]]).id
    until(lambda: server.get(f"/v1/inferences/{after}").status == 200, 30)
    assert server.ask("/v1/feedback", {"model": "sign", "labels": [{"label": True, "id": after}]}).status == 200
    until(lambda: recording(server) == "ready", 20)
    server.stop()
