import json
from pathlib import Path
from typing import Any

import pytest

from mlp.cli.examinations import find_examination, findings_of
from mlp.cli.main import run
from mlp.client.examination import Cause, Component, Examination, Status
from mlp.config import Settings
from mlp.storage.ownership import FolderOwner
from tests.unit.cli.conftest import ServePages

READY = {"status": "ready", "components": {}, "models": {}}
EXAMINATION = {
    "is_stack": True,
    "components": [
        {"name": "api", "status": "ok", "version": "0.1.0", "latency_ms": None, "detail": ""},
        {"name": "broker", "status": "failed", "version": None, "latency_ms": None, "detail": "refuses"},
    ],
    "causes": [
        {
            "kind": "broker",
            "subject": "broker",
            "status": "failed",
            "detail": "refuses",
            "remedy": "docker compose restart rabbitmq",
        },
        {"kind": "pause", "subject": "mlp.low", "status": "warning", "detail": "paused", "remedy": "mlp queues resume"},
    ],
}


def stack(folder: Path, **changes: Any) -> Settings:
    """Of a stack whose broker is away."""
    return Settings(folder=folder, broker_url="pyamqp://127.0.0.1:1//", **changes)


def status_of(examination: Examination | None, name: str) -> str:
    assert examination is not None
    return next(f"{part.status}: {part.detail}" for part in examination.components if part.name == name)


def test_server_that_is_named_is_asked_and_its_answer_timed(serve_pages: ServePages, tmp_path: Path) -> None:
    url = serve_pages({"/health/ready": READY, "/v1/examination": EXAMINATION})

    examination = find_examination(Settings(folder=tmp_path, url=url))

    assert examination is not None
    assert examination.is_stack
    latency_ms = examination.components[0].latency_ms
    assert latency_ms is not None
    assert 0 < latency_ms < 3000


def test_server_of_the_folder_is_asked(serve_pages: ServePages, tmp_path: Path) -> None:
    with FolderOwner(tmp_path) as owner:
        owner.announce(serve_pages({"/health/ready": READY, "/v1/examination": EXAMINATION}))

        examination = find_examination(Settings(folder=tmp_path))

    assert status_of(examination, "broker") == "failed: refuses"


def test_server_of_an_older_release_has_none(serve_pages: ServePages, tmp_path: Path) -> None:
    assert find_examination(Settings(folder=tmp_path, url=serve_pages({"/health/ready": READY}))) is None


def test_laptop_without_a_server_has_none(tmp_path: Path) -> None:
    assert find_examination(Settings(folder=tmp_path)) is None


def test_named_server_that_is_away_is_left_to_the_checks(tmp_path: Path) -> None:
    assert find_examination(stack(tmp_path, url="http://127.0.0.1:1")) is None


def test_stack_without_a_server_is_examined_from_here(tmp_path: Path) -> None:
    examination = find_examination(stack(tmp_path))

    assert status_of(examination, "api") == "failed: the server does not run"
    assert status_of(examination, "broker").startswith("failed: ")


def test_stack_whose_server_does_not_answer_is_examined_from_here(tmp_path: Path) -> None:
    with FolderOwner(tmp_path) as owner:
        owner.announce("http://127.0.0.1:1")

        examination = find_examination(stack(tmp_path))

    assert status_of(examination, "api").startswith("failed: no server answers at http://127.0.0.1:1")


def test_laptop_learns_of_its_jobs_and_hears_nothing_twice() -> None:
    causes = [
        Cause("disk", "/", Status.WARNING, "low", "make room"),
        Cause("pause", "mlp.low", Status.WARNING, "paused", "mlp queues resume mlp.low"),
    ]

    findings = findings_of(Examination(False, [Component("api", Status.OK)], causes))

    assert [(each.check, each.status) for each in findings] == [("pause mlp.low", Status.WARNING)]
    assert findings_of(None) == []


def test_doctor_prints_the_parts_and_a_command_to_paste_for_each_cause(
    serve_pages: ServePages, capsys: pytest.CaptureFixture[str]
) -> None:
    url = serve_pages({"/health/ready": READY, "/v1/examination": EXAMINATION})

    exit_codes = (run(["doctor", "--url", url]), run(["doctor", "--json", "--url", url]))

    text, _brace, document = capsys.readouterr().out.partition("{")
    report = json.loads("{" + document)
    assert exit_codes == (1, 1)
    assert text.splitlines()[0].split() == ["COMPONENT", "STATUS", "VERSION", "LATENCY", "DETAIL"]
    assert text.splitlines()[-4:] == [
        "1. broker: refuses",
        "   docker compose restart rabbitmq",
        "2. pause mlp.low: paused",
        "   mlp queues resume",
    ]
    assert (report["is_healthy"], len(report["components"]), len(report["causes"])) == (False, 2, 2)
