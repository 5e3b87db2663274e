"""``mlp worker`` where it cannot run: a sentence, not a traceback."""

import sys
from pathlib import Path

import pytest

from mlp.cli.main import run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="only on systems with fork")


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CELERY_BROKER_URL", "MLP_BROKER_URL", "CELERY_QUEUE", "MLP_WORKER_QUEUES"):
        monkeypatch.delenv(name, raising=False)
    # The command sets these two in its process; put back afterwards with the rest.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setenv("REMAP_SIGTERM", "")


def test_worker_without_a_broker_says_which_variable_names_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["worker", "--folder", str(tmp_path)]) == 1

    printed = capsys.readouterr()
    assert "CELERY_BROKER_URL is not set" in printed.err
    assert "Traceback" not in printed.err


def test_worker_of_an_unknown_queue_is_told_which_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "pyamqp://localhost:1/")

    assert run(["worker", "--folder", str(tmp_path), "--queues", "mlp.hihg"]) == 1

    assert "mlp.hihg" in capsys.readouterr().err


def test_worker_takes_no_address_of_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "--url", "http://localhost:1"]) == 2

    assert "reaches the database and the broker itself" in capsys.readouterr().err
