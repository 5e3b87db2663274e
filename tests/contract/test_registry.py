"""The registry keeps its promises on SQLite and on PostgreSQL alike."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlp.config import Settings
from mlp.errors import (
    ArtefactCorrupt,
    Conflict,
    NothingToRollBack,
    UnknownModel,
    UnknownVersion,
    VersionInUse,
)
from mlp.jobs.service import JobService
from mlp.registry.service import RegistryService
from mlp.registry.snapshot import Resolution
from mlp.registry.values import Version
from mlp.storage.artefacts import ArtefactStore
from mlp.storage.database import Database
from tests.versions import SIGNATURE, new_version, zip_bytes

SETTINGS = Settings(label_horizon_seconds=86_400.0, record="on")


class Registry(RegistryService):
    """A process's registry whose versions all load, unless a test says otherwise."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.jobs = JobService(database, SETTINGS)
        super().__init__(database, ArtefactStore(folder), self.jobs, SETTINGS)
        self.attach(ensure_loaded=lambda _wanted: None, build_reference=lambda _folder, _signature: None)

    def add(self, model: str, **members: object) -> Version:
        """A new version of the model over an artefact of its own."""
        new = new_version(model)
        received = self.artefacts.receive([zip_bytes({"mlp.toml": new.id.encode()})], 10_000)
        return self.add_version(new_version(model, **{"digest": self.artefacts.keep(received), **members}))


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(database, tmp_path / "artefacts")
    yield registry
    registry.jobs.close()


@pytest.fixture
def other(database: Database, tmp_path: Path) -> Iterator[Registry]:
    """Another process on the same database."""
    registry = Registry(database, tmp_path / "artefacts")
    yield registry
    registry.jobs.close()


def champion(registry: Registry, model: str = "churn") -> int:
    return registry.get_model(model).aliases["champion"]


def test_first_version_makes_the_model_and_is_its_champion(registry: Registry) -> None:
    added = registry.add_version(new_version("churn"))

    model = registry.get_model("churn")
    assert (added.number, added.aliases) == (1, ("champion",))
    assert (model.aliases, model.versions_count, model.latest_number) == ({"champion": 1}, 1, 1)


def test_later_version_changes_no_alias(registry: Registry) -> None:
    registry.add_version(new_version("churn"))

    added = registry.add_version(new_version("churn"))

    assert (added.number, added.aliases) == (2, ())
    assert champion(registry) == 1


def test_version_comes_back_as_it_was_added(registry: Registry) -> None:
    new = new_version(
        "Büro 模型",
        metrics={"auc": 0.1 + 0.2, "n": 2**53 + 1, "π": "≈3", "ok": True},
        lineage={"a": {"b": [None, "\U0001f600", "\u0001"]}},
        example=[{"age": 1, "plan": "é"}, [2, "plus"]],
        reference={"features": {"age": [0.5]}},
    )

    added = registry.add_version(new)

    for name in ("id", "model", "digest", "size_bytes", "runtime", "signature", "environment", "trained_with"):
        assert getattr(added, name) == getattr(new, name)
    for name in ("warnings", "metrics", "lineage", "example"):
        assert getattr(added, name) == getattr(new, name)
    assert added.has_reference
    assert registry.find_reference("Büro 模型", 1) == new.reference


def test_version_without_reference_has_none(registry: Registry) -> None:
    assert not registry.add_version(new_version("churn")).has_reference
    assert registry.find_reference("churn", 1) is None


def test_same_version_is_added_once(registry: Registry, other: Registry) -> None:
    new = new_version("churn")
    first = registry.add_version(new)

    assert other.add_version(new, alias="again") == first
    assert registry.get_model("churn").versions_count == 1


def test_concurrent_registrations_get_different_numbers(registry: Registry, other: Registry) -> None:
    barrier = threading.Barrier(4)

    def add_some(service: Registry) -> list[int]:
        barrier.wait(10)
        return [service.add_version(new_version("churn")).number for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(add_some, service) for service in (registry, other, registry, other)]
        numbers = [number for future in futures for number in future.result(60)]

    assert sorted(numbers) == list(range(1, 17))
    assert registry.version_numbers("churn") == list(range(1, 17))
    assert champion(registry) == 1


def test_number_of_a_deleted_version_is_not_given_again(registry: Registry) -> None:
    registry.add_version(new_version("churn"))
    registry.add_version(new_version("churn"))
    registry.delete_version("churn", "2")

    assert registry.add_version(new_version("churn")).number == 3
    assert registry.version_numbers("churn") == [1, 3]


def test_promotion_moves_champion_and_is_written_down(registry: Registry) -> None:
    registry.add("churn")
    registry.add("churn")

    model = registry.promote("churn", "2", "better AUC")

    assert model.aliases == {"champion": 2}
    move, first = registry.list_moves("churn").items
    assert (move.kind, move.from_number, move.to_number, move.reason) == ("promote", 1, 2, "better AUC")
    assert (first.kind, first.from_number, first.to_number) == ("set", None, 1)
    assert move.at >= first.at


def test_promotion_of_the_champion_moves_nothing(registry: Registry) -> None:
    registry.add("churn")

    registry.promote("churn", "champion")

    assert len(registry.list_moves("churn").items) == 1


def test_rollback_walks_back_one_champion_at_a_time(registry: Registry) -> None:
    for _ in range(3):
        registry.add("churn")
    registry.promote("churn", "2")
    registry.set_alias("churn", "champion", "3")

    assert registry.rollback("churn").aliases["champion"] == 2
    assert registry.rollback("churn", "worse still").aliases["champion"] == 1
    with pytest.raises(NothingToRollBack, match="'churn': no earlier champion"):
        registry.rollback("churn")
    assert [move.kind for move in registry.list_moves("churn")] == ["rollback", "rollback", "set", "promote", "set"]


def test_rollback_passes_over_deleted_versions(registry: Registry) -> None:
    for _ in range(3):
        registry.add("churn")
    registry.promote("churn", "2")
    registry.promote("churn", "3")
    registry.delete_version("churn", "2")

    assert registry.rollback("churn").aliases["champion"] == 1
    with pytest.raises(NothingToRollBack):
        registry.rollback("churn")


def test_rollback_that_is_overtaken_moves_nothing(registry: Registry, other: Registry) -> None:
    for _ in range(3):
        registry.add("churn")
    registry.promote("churn", "2")

    def overtake(_wanted: Resolution) -> None:
        other.promote("churn", "3")

    registry.attach(ensure_loaded=overtake, build_reference=registry.build_reference)

    with pytest.raises(Conflict, match="moved by somebody else"):
        registry.rollback("churn")
    assert champion(other) == 3


def test_version_that_is_corrupt_is_not_promoted(registry: Registry, tmp_path: Path) -> None:
    registry.add("churn")
    digest = registry.add("churn").digest
    with (tmp_path / "artefacts" / f"{digest}.zip").open("r+b") as file:
        file.write(b"?")

    with pytest.raises(ArtefactCorrupt, match="version 2 of 'churn' cannot serve, and nothing was changed"):
        registry.promote("churn", "2")
    assert champion(registry) == 1
    assert registry.resolve("churn").number == 1


def test_alias_is_set_moved_and_deleted(registry: Registry) -> None:
    registry.add("churn")
    registry.add("churn")

    assert registry.set_alias("churn", "challenger", "1").aliases == {"champion": 1, "challenger": 1}
    assert registry.set_alias("churn", "challenger", "2").aliases == {"champion": 1, "challenger": 2}
    assert registry.get_version("churn", "challenger").number == 2
    assert registry.delete_alias("churn", "challenger").aliases == {"champion": 1}
    assert next((move.alias, move.kind) for move in registry.list_moves("churn")) == ("challenger", "delete")


def test_version_that_an_alias_names_cannot_be_deleted(registry: Registry) -> None:
    registry.add("churn")

    with pytest.raises(VersionInUse, match="version 1 of 'churn' is champion"):
        registry.delete_version("churn", "1")
    assert registry.version_numbers("churn") == [1]


def test_deleted_model_is_gone_with_everything(registry: Registry) -> None:
    registry.add("churn")
    registry.add("churn")
    registry.add("flights")

    registry.delete_model("churn")

    assert [model.name for model in registry.list_models()] == ["flights"]
    with pytest.raises(UnknownModel):
        registry.resolve("churn")
    with pytest.raises(UnknownModel):
        registry.get_model("churn")


def test_model_that_is_added_again_begins_anew_but_for_its_numbers(registry: Registry) -> None:
    registry.add("churn")
    registry.add("churn")
    registry.promote("churn", "2")
    registry.change_settings("churn", {"record": "off"})
    created_at = registry.get_model("churn").created_at
    registry.delete_model("churn")

    added = registry.add("churn")

    model = registry.get_model("churn")
    # What versions 1 and 2 predicted is on record under these numbers.
    assert (added.number, added.aliases) == (3, ("champion",))
    assert (model.aliases, model.versions_count, model.settings["record"]) == ({"champion": 3}, 1, "on")
    assert model.created_at > created_at
    assert len(registry.list_moves("churn").items) == 1
    with pytest.raises(NothingToRollBack):
        registry.rollback("churn")


def test_lists_are_paged_in_order(registry: Registry) -> None:
    for name in ("b", "a", "ä", "c"):
        registry.add_version(new_version(name))
    for _ in range(4):
        registry.add_version(new_version("a"))

    first = registry.list_models(limit=3)
    rest = registry.list_models(limit=3, cursor=first.next)
    newest = registry.list_versions("a", limit=2)
    older = registry.list_versions("a", limit=3, cursor=newest.next)

    names = [model.name for model in (*first, *rest)]
    assert sorted(names) == sorted({"a", "b", "c", "ä"})
    assert names[:2] == ["a", "b"]
    assert (len(first.items), rest.next) == (3, None)
    assert [version.number for version in (*newest, *older)] == [5, 4, 3, 2, 1]
    assert older.next is None


def test_moves_are_paged_newest_first(registry: Registry) -> None:
    registry.add("churn")
    registry.add("churn")
    for reference in ("2", "1", "2"):
        registry.promote("churn", reference)

    newest = registry.list_moves("churn", limit=3)
    oldest = registry.list_moves("churn", limit=3, cursor=newest.next)

    assert [move.to_number for move in (*newest, *oldest)] == [2, 1, 2, 1]
    assert oldest.next is None


def test_names_in_another_unicode_form_are_the_same_model(registry: Registry) -> None:
    registry.add("Caf\u00e9")

    assert registry.get_model("Cafe\u0301").name == "Caf\u00e9"
    assert registry.resolve("Cafe\u0301").model == "Caf\u00e9"


@pytest.mark.parametrize("name", ["nul\0", "\ud800", "a/b", "x" * 5000, ""])
def test_name_that_no_model_can_have_is_unknown(registry: Registry, name: str) -> None:
    registry.add_version(new_version("churn"))

    with pytest.raises(UnknownModel):
        registry.get_model(name)
    with pytest.raises(UnknownModel):
        registry.resolve(name)


@pytest.mark.parametrize("reference", ["7", "0", "99999999999999999999", "nul\0", "\ud800", "", "-1", "1.0", "٣"])
def test_reference_that_names_nothing_is_unknown(registry: Registry, reference: str) -> None:
    registry.add_version(new_version("churn"))

    with pytest.raises(UnknownVersion):
        registry.get_version("churn", reference)
    with pytest.raises(UnknownVersion):
        registry.resolve("churn", reference)


def test_settings_are_the_servers_until_the_model_has_its_own(registry: Registry) -> None:
    registry.add("churn", id=new_version("churn").id)

    changed = registry.change_settings("churn", {"record": "durable"})
    both = registry.change_settings("churn", {"label_horizon_seconds": 60.0})
    back = registry.change_settings("churn", {"record": None})

    assert changed.settings == {"label_horizon_seconds": 86_400.0, "record": "durable"}
    assert both.settings == {"label_horizon_seconds": 60.0, "record": "durable"}
    assert back.settings == {"label_horizon_seconds": 60.0, "record": "on"}
    assert registry.snapshot().models["churn"].settings == {"label_horizon_seconds": 60.0}


def test_traffic_is_kept_and_shown(registry: Registry) -> None:
    registry.add("churn")
    registry.add("churn")
    registry.set_alias("churn", "challenger", "2")

    model = registry.set_traffic("churn", canary={"alias": "challenger", "percent": 12.5}, shadow="challenger")

    assert model.traffic == {"canary": {"alias": "challenger", "percent": 12.5}, "shadow": "challenger"}
    assert registry.snapshot().models["churn"].traffic == model.traffic
    with pytest.raises(VersionInUse, match="goes to 'challenger'"):
        registry.delete_alias("churn", "challenger")


def test_other_process_sees_changes_when_it_looks(registry: Registry, other: Registry) -> None:
    registry.add("churn")
    other.refresh()
    registry.add("churn")
    registry.promote("churn", "2")

    assert other.resolve("churn").number == 1
    assert other.refresh_if_changed()
    assert other.resolve("churn").number == 2
    assert not other.refresh_if_changed()


def test_other_process_finds_what_is_new_to_it_at_once(registry: Registry, other: Registry) -> None:
    other.refresh()

    registry.add("churn")

    assert other.resolve("churn", "1").signature == SIGNATURE
    assert other.get_entry("churn").aliases == {"champion": 1}


def test_version_without_alias_is_found_until_it_is_deleted(registry: Registry, other: Registry) -> None:
    registry.add("churn")
    registry.add("churn")

    assert other.resolve("churn", "2").role == "direct"
    registry.delete_version("churn", "2")
    other.refresh_if_changed()

    with pytest.raises(UnknownVersion):
        other.resolve("churn", "2")
    assert other.find_signature("churn", 2) is None
    assert other.find_signature("churn", 1) == SIGNATURE
