"""The job that makes a version: once, whole, and with nothing left when it fails."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlp.clock import now
from mlp.config import Settings
from mlp.errors import AcceptanceFailed, ArtefactCorrupt, BadModelFolder, MissingExtra
from mlp.jobs.job import Claim, Job
from mlp.jobs.states import JobState
from mlp.jobs.task import TASKS, JobContext, JobStopped, StopReason
from mlp.registry import tasks
from mlp.registry.acceptance import AcceptanceReport
from mlp.registry.environment import Environment
from mlp.registry.folder import ModelFolder, read_folder
from mlp.registry.service import RegistryService
from mlp.registry.snapshot import Resolution
from mlp.registry.uploads import AcceptPayload
from mlp.storage.artefacts import ArtefactStore
from tests.unit.registry.conftest import AddVersion
from tests.versions import SIGNATURE, new_version, zip_bytes

JOB_ID = "0199c1f0-0000-7000-8000-000000000001"
TOML = b"""
[model]
runtime = "python"
task = "regression"
[inputs]
x = "float64"
[metrics]
mae = 0.5
[lineage]
commit = "abc"
[feedback]
label_horizon = "2h"
"""
CODE = b"""
def load(folder):
    return 2.0
def predict(model, features):
    return features["x"] * model
"""
EXAMPLE = b'{"rows": [{"x": 1.5}, {"x": -2.0}], "expected": {"value": [3.0, -4.0]}}'
FILES = {"mlp.toml": TOML, "model.py": CODE, "example.json": EXAMPLE}

Keep = Callable[..., AcceptPayload]


@pytest.fixture
def context(registry: RegistryService, settings: Settings) -> JobContext:
    """One attempt at the job."""
    job = Job(JOB_ID, "registry.accept", "churn", "registry", 0, JobState.RUNNING, 1, 3, False, now())
    claim = Claim(JOB_ID, "registry.accept", "churn", b"", 1, 3, "token", 0.0, 60.0, job)
    return JobContext(SimpleNamespace(registry=registry, settings=settings), claim)


@pytest.fixture
def keep(artefacts: ArtefactStore) -> Keep:
    """Keeps a folder as uploaded; the job's payload."""

    def keep_files(files: dict[str, bytes], alias: str | None = None) -> AcceptPayload:
        received = artefacts.receive([zip_bytes(files)], 10**6)
        digest = artefacts.keep(received)
        return AcceptPayload(model="churn", digest=digest, size_bytes=received.size_bytes, alias=alias)

    return keep_files


def test_task_is_known_with_its_payload() -> None:
    assert TASKS.get("registry.accept").payload_type is AcceptPayload


@pytest.mark.slow
def test_upload_becomes_a_version_once(
    registry: RegistryService, context: JobContext, keep: Keep, loaded: list[Resolution]
) -> None:
    payload = keep(FILES, alias="challenger")

    shown = tasks.accept(context, payload)
    again = tasks.accept(context, payload)

    assert again == shown
    assert registry.version_numbers("churn") == [1]
    assert (shown["model"], shown["version"], shown["task"]) == ("churn", "1", "regression")
    assert (shown["digest"], shown["size_bytes"]) == (payload.digest, payload.size_bytes)
    assert shown["aliases"] == ["challenger", "champion"]
    assert (shown["metrics"], shown["lineage"]) == ({"mae": 0.5}, {"commit": "abc"})
    assert shown["example"] == [{"x": 1.5}, {"x": -2.0}]
    assert shown["environment"]["packages"]["numpy"]
    assert not shown["has_reference"]
    assert registry.get_model("churn").settings["label_horizon_seconds"] == 7200
    assert [item.number for item in loaded] == [1, 1]
    progress = context.latest_progress()
    assert progress is not None
    assert (progress.done, progress.total, progress.message) == (3, 4, "writing it down")


@pytest.mark.slow
def test_folder_that_fails_its_trial_leaves_no_model(
    registry: RegistryService, context: JobContext, keep: Keep
) -> None:
    payload = keep(FILES | {"model.py": CODE.replace(b"return 2.0", b"raise RuntimeError('no weights')")})

    with pytest.raises(AcceptanceFailed, match="no weights"):
        tasks.accept(context, payload)
    assert registry.list_models().items == ()


def test_damaged_upload_is_refused(registry: RegistryService, context: JobContext, keep: Keep, tmp_path: Path) -> None:
    payload = keep(FILES)
    (tmp_path / "artefacts" / f"{payload.digest}.zip").write_bytes(b"damaged")

    with pytest.raises(ArtefactCorrupt, match="is damaged"):
        tasks.accept(context, payload)
    assert registry.list_models().items == ()


def test_cancelled_job_stops_between_its_steps(registry: RegistryService, context: JobContext, keep: Keep) -> None:
    context.stop(StopReason.CANCELLED)

    with pytest.raises(JobStopped):
        tasks.accept(context, keep(FILES))
    assert registry.list_models().items == ()


def added_by_the_job(registry: RegistryService) -> None:
    """As if a first attempt had written the version down and died."""
    registry.add_version(new_version("churn", id=tasks.version_id_of(JOB_ID), digest=kept_digest(registry)))


def kept_digest(registry: RegistryService) -> str:
    return registry.artefacts.keep(registry.artefacts.receive([zip_bytes(FILES)], 10**6))


def test_attempt_after_a_crash_gives_the_alias_that_the_first_did_not_reach(
    registry: RegistryService, context: JobContext, keep: Keep, add: AddVersion, loaded: list[Resolution]
) -> None:
    add()
    added_by_the_job(registry)

    shown = tasks.accept(context, keep(FILES, alias="champion"))

    assert (shown["version"], shown["aliases"]) == ("2", ["champion"])
    assert [item.number for item in loaded] == [2]
    assert [move.to_number for move in registry.list_moves("churn")] == [2, 1]


def test_champion_stays_where_the_new_version_does_not_load(
    registry: RegistryService, context: JobContext, keep: Keep, add: AddVersion
) -> None:
    def refuse(_wanted: Resolution) -> None:
        raise MissingExtra("scikit-learn is not installed")

    add()
    added_by_the_job(registry)
    registry.attach(ensure_loaded=refuse, build_reference=registry.build_reference)

    with pytest.raises(MissingExtra, match="version 2 of 'churn' cannot serve"):
        tasks.accept(context, keep(FILES, alias="champion"))
    assert registry.resolve("churn").number == 1


def test_two_attempts_at_once_add_one_version(registry: RegistryService) -> None:
    new = new_version("churn", id=tasks.version_id_of(JOB_ID))
    barrier = threading.Barrier(2)
    numbers: list[int] = []

    def attempt() -> None:
        barrier.wait(10)
        numbers.append(registry.add_version(new).number)

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert numbers == [1, 1]
    assert registry.version_numbers("churn") == [1]


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    path = tmp_path / "folder"
    path.mkdir()
    for name, content in FILES.items():
        (path / name).write_bytes(content)
    return read_folder(path)


def report(**members: Any) -> AcceptanceReport:
    values: dict[str, Any] = {
        "signature": SIGNATURE,
        "runtime": "python",
        "environment": Environment("3.11.7", {"numpy": "2.0"}),
        "trained_with": {},
        "warnings": (),
        "example": ({"age": 1, "plan": "basic"},),
        "left_out": (),
        "load_seconds": 0.1,
        "batch_row_seconds": 0.1,
        "single_row_seconds": 0.1,
        "memory_bytes": None,
    }
    return AcceptanceReport(**values | members)


PAYLOAD = AcceptPayload(model="churn", digest="0" * 64, size_bytes=1)


@pytest.mark.parametrize("value", ["nan", "inf", '"a\\u0000b"'])
def test_metric_that_cannot_be_kept_is_named(tmp_path: Path, folder: ModelFolder, value: str) -> None:
    (folder.path / "mlp.toml").write_bytes(TOML.replace(b"mae = 0.5", b"mae = " + value.encode()))

    with pytest.raises(BadModelFolder, match=r"^metrics\.mae"):
        tasks.new_version_of("id", PAYLOAD, read_folder(folder.path), report(), None)


def test_warning_of_a_model_is_made_storable(folder: ModelFolder) -> None:
    new = tasks.new_version_of("id", PAYLOAD, folder, report(warnings=("half \ud800, nul \0",)), None)

    assert new.warnings == ["half ?, nul \N{REPLACEMENT CHARACTER}"]
