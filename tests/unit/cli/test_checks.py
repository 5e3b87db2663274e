import hashlib
from collections import namedtuple
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlp.cli import checks
from mlp.cli.checks import Finding, examine, ranked
from mlp.client.examination import Status
from mlp.clock import now
from mlp.config import Settings
from mlp.registry.tables import models, versions
from mlp.storage import schema
from mlp.storage.database import Database, sqlite_url
from mlp.storage.ownership import FolderOwner

Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder that a server has used."""
    database = Database(sqlite_url(tmp_path))
    schema.upgrade(database)
    database.close()
    return Settings(folder=tmp_path)


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(settings)}


def register(folder: Path, content: bytes) -> Path:
    """Writes a version that has this artefact, and the artefact itself; where it lies."""
    digest = hashlib.sha256(content).hexdigest()
    nothing: dict[str, object] = {}
    version = {
        "id": "v",
        "model_id": "m",
        "number": 1,
        "digest": digest,
        "size_bytes": len(content),
        "runtime": "python",
        "signature": nothing,
        "environment": nothing,
        "trained_with": nothing,
        "warnings": [],
        "metrics": nothing,
        "lineage": nothing,
        "example": [],
        "created_at": now(),
    }
    model = {"id": "m", "name": "churn", "settings": {}, "traffic": {}, "versions_made": 1, "created_at": now()}
    database = Database(sqlite_url(folder))
    with database.transaction() as connection:
        connection.execute(sa.insert(models).values(model))
        connection.execute(sa.insert(versions).values(version))
    database.close()
    archive = folder / "artefacts" / f"{digest}.zip"
    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes(content)
    return archive


def test_folder_that_is_not_there_is_a_note_and_not_made(tmp_path: Path) -> None:
    findings = found(Settings(folder=tmp_path / "absent"))

    assert findings["folder"].status is Status.NOTE
    assert findings["database"].remedy == "mlp serve makes it"
    assert all(finding.status is not Status.FAILED for finding in findings.values())
    assert not (tmp_path / "absent").exists()


def test_folder_in_order_has_nothing_wrong(settings: Settings) -> None:
    findings = found(settings)

    assert [findings[check].status for check in ("Python", "mlp", "folder", "database", "schema", "artefacts")] == [
        Status.OK
    ] * 6
    assert findings["server"].remedy == "mlp serve"


def test_folder_held_by_a_server_names_it(settings: Settings) -> None:
    with FolderOwner(settings.folder) as owner:
        starting = found(settings)["server"]
        owner.announce("http://127.0.0.1:9")
        findings = found(settings)

    assert starting.detail.endswith("holds the folder: a command, or a server that starts")
    assert findings["server"].detail.endswith("http://127.0.0.1:9")
    assert findings["readiness"].status is Status.FAILED


def test_schema_of_another_release_needs_the_upgrade(settings: Settings) -> None:
    database = Database(sqlite_url(settings.folder))
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    database.close()

    finding = found(settings)["schema"]

    assert (finding.status, finding.remedy) == (Status.FAILED, "mlp db upgrade")


def test_artefact_as_it_was_registered_is_verified(settings: Settings) -> None:
    register(settings.folder, b"a zip file")

    assert found(settings)["artefacts"] == Finding("artefacts", Status.OK, "1 verified by SHA-256")


def test_artefact_damaged_or_gone_is_named_with_what_mends_it(settings: Settings) -> None:
    archive = register(settings.folder, b"a zip file")

    archive.write_bytes(b"a zip fi1e")
    damaged = found(settings)["artefacts"]
    archive.unlink()
    gone = found(settings)["artefacts"]

    assert damaged.status is gone.status is Status.FAILED
    assert damaged.detail == f"{archive.stem[:12]}… is damaged"
    assert gone.detail.endswith("is gone")
    assert "mlp models add" in gone.remedy


@pytest.mark.parametrize(("free_bytes", "status"), [(1 << 20, Status.FAILED), (1 << 29, Status.WARNING)])
def test_disk_that_fills_up_is_told_before_it_is_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free_bytes: int, status: Status
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Disk(1 << 40, 0, free_bytes))

    assert found(settings)["disk"].status is status


def test_spool_that_waits_for_a_server_is_a_note(settings: Settings) -> None:
    spool = settings.folder / "spool" / "0195"
    spool.mkdir(parents=True)
    (spool / "00000000.frames").write_bytes(b"frames")

    finding = found(settings)["spool"]

    assert (finding.status, finding.remedy) == (Status.NOTE, "mlp serve moves it into the database")


def test_named_server_is_examined_and_no_folder(tmp_path: Path) -> None:
    findings = found(Settings(folder=tmp_path, url="http://127.0.0.1:9"))

    assert "folder" not in findings
    assert findings["readiness"].detail.startswith("no server answers at http://127.0.0.1:9")


def test_causes_are_ranked_the_worst_first() -> None:
    fine = Finding("Python", Status.OK, "3.11")
    note = Finding("server", Status.NOTE, "none", "mlp serve")
    warning = Finding("disk", Status.WARNING, "low", "make room")
    failed = Finding("schema", Status.FAILED, "old", "mlp db upgrade")

    assert ranked([fine, note, warning, failed]) == [failed, warning, note]


def test_frameworks_that_are_absent_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_FRAMEWORKS", {"no-such-distribution": "sklearn"})

    finding = list(checks.installed())[-1]

    assert (finding.status, finding.remedy) == (
        Status.NOTE,
        'pip install "mlp-stack[sklearn]", if your models need them',
    )
