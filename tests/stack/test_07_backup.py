"""Backup, wipe, restore: what was there is there again, and the service answers."""

from pathlib import Path

import pytest

from mlp import Client
from tests.servers import until
from tests.stack.compose import SERVICES, Compose
from tests.stack.traffic import ROWS, Traffic

pytestmark = pytest.mark.timeout(600)
_COUNTS = "SELECT (SELECT count(*) FROM {}), (SELECT max(id) FROM {})"
_TABLES = ("versions", "jobs", "feedback", "alias_moves")


def _counts(compose: Compose) -> dict[str, list[list[str]]]:
    return {table: compose.query(_COUNTS.format(table, table)) for table in _TABLES}


def test_backup_and_restore_onto_nothing(compose: Compose, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "mlp.backup"
    with Traffic(has_jobs=False) as traffic:
        compose.script("backup", str(file))
    assert traffic.predictions.failed == {}, "a backup disturbs nobody"
    assert file.stat().st_mode & 0o077 == 0, "it holds passwords"
    before = _counts(compose)

    compose.down("--volumes")
    assert compose.run("docker", "volume", "ls", "-q", "--filter", "name=mlp_database") == ""
    print("\n" + compose.script("restore", "--yes", str(file), timeout_seconds=400))

    compose.wait_well(*SERVICES)
    assert _counts(compose) == before
    until(lambda: client.predict("sign", ROWS).predictions[0].label is True, 20)


def test_damaged_backup_is_refused_before_anything_is_touched(compose: Compose, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "mlp.backup"
    compose.script("backup", str(file))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)

    printed = compose.script("restore", "--yes", str(file), check=False)

    assert "does not have its SHA-256" in printed
    assert client.predict("sign", ROWS).predictions[0].label is True
