"""The registry as requests see it."""

import dataclasses

import pytest
import sqlalchemy as sa

from mlp.registry.service import RegistryService
from mlp.registry.snapshot import ModelEntry, Resolution, Snapshot, read_snapshot
from mlp.registry.store import ServedVersion
from mlp.registry.tables import registry_revision
from mlp.storage.database import Database
from tests.unit.registry.conftest import AddVersion
from tests.versions import SIGNATURE, new_version

ENVIRONMENT = {"python": "3.11.7", "packages": {}}


def version(number: int) -> ServedVersion:
    return ServedVersion(f"id-{number}", number, f"digest-{number}", "sklearn", SIGNATURE, ENVIRONMENT)


def resolution(number: int, role: str, model: str = "churn") -> Resolution:
    return Resolution(model, number, f"digest-{number}", SIGNATURE, "sklearn", ENVIRONMENT, role)


@pytest.fixture
def snapshot() -> Snapshot:
    """Champion is 2, challenger 3; version 1 has no alias."""
    churn = ModelEntry(
        "m", "churn", {}, {}, {"champion": 2, "challenger": 3, "also": 3}, {2: version(2), 3: version(3)}
    )
    empty = ModelEntry("e", "empty", {}, {}, {}, {})
    return Snapshot(7, {"churn": churn, "empty": empty})


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (None, resolution(2, "champion")),
        ("champion", resolution(2, "champion")),
        ("challenger", resolution(3, "challenger")),
        ("3", resolution(3, "direct")),
        ("1", None),
        ("absent", None),
        ("", None),
    ],
)
def test_reference_finds_what_an_alias_names(
    snapshot: Snapshot, reference: str | None, expected: Resolution | None
) -> None:
    assert snapshot.find("churn", reference) == expected


def test_model_that_is_absent_or_empty_is_not_found(snapshot: Snapshot) -> None:
    assert snapshot.find("absent") is None
    assert snapshot.find("empty") is None


def test_champions_are_those_that_there_are(snapshot: Snapshot) -> None:
    assert snapshot.champions() == [resolution(2, "champion")]


def test_named_versions_are_told_once_with_the_champions_first(snapshot: Snapshot) -> None:
    assert [(item.model, item.number) for item in snapshot.named()] == [("churn", 2), ("churn", 3)]


def test_snapshot_cannot_be_changed(snapshot: Snapshot) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.revision = 8  # type: ignore[misc]


def test_snapshot_holds_aliased_versions_alone(registry: RegistryService, add: AddVersion) -> None:
    for _ in range(5):
        add()
    registry.set_alias("churn", "challenger", "4")

    entry = registry.snapshot().models["churn"]

    assert entry.aliases == {"champion": 1, "challenger": 4}
    assert sorted(entry.versions) == [1, 4]


def test_refresh_reads_no_version_twice(registry: RegistryService, add: AddVersion, database: Database) -> None:
    add()
    before = registry.snapshot().models["churn"].versions[1]
    add("other")
    read: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        read.append(statement)

    registry.refresh()

    assert registry.snapshot().models["churn"].versions[1] is before
    assert not [statement for statement in read if "versions.signature" in statement]


def test_snapshot_that_was_read_during_a_write_is_older_than_it_says(
    registry: RegistryService, database: Database
) -> None:
    """Whoever writes between two of its queries is seen by the next look at the revision."""
    registry.add_version(new_version("churn"))
    with database.reading() as connection:
        snapshot = read_snapshot(connection, Snapshot())
    with database.transaction() as connection:
        connection.execute(sa.update(registry_revision).values(revision=snapshot.revision + 1))

    assert registry.refresh_if_changed()
