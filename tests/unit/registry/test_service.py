"""What may change about models and versions, and what may not."""

from typing import Any

import pytest
import sqlalchemy as sa

from mlp.errors import (
    ArtefactCorrupt,
    BadInput,
    Conflict,
    MissingExtra,
    NothingToRollBack,
    UnknownModel,
    UnknownVersion,
    VersionInUse,
)
from mlp.registry.service import RegistryService
from mlp.registry.snapshot import Resolution
from mlp.storage.artefacts import ArtefactStore
from tests.unit.registry.conftest import AddVersion
from tests.versions import new_version


def refuse_to_load(_wanted: Resolution) -> None:
    raise MissingExtra("scikit-learn is not installed", extra="sklearn")


def test_first_version_with_an_alias_is_champion_too(registry: RegistryService, add: AddVersion) -> None:
    assert add(alias="challenger").aliases == ("challenger", "champion")


def test_first_version_added_as_champion_moves_once(registry: RegistryService, add: AddVersion) -> None:
    add(alias="champion")

    assert len(registry.list_moves("churn").items) == 1


def test_new_version_takes_an_alias_that_is_free(registry: RegistryService, add: AddVersion) -> None:
    add()

    assert add(alias="challenger").aliases == ("challenger",)
    assert registry.resolve("churn", "challenger").number == 2


@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_new_version_leaves_an_alias_that_is_taken(registry: RegistryService, add: AddVersion, alias: str) -> None:
    add(alias="challenger")

    assert add(alias=alias).aliases == ()
    assert registry.resolve("churn", alias).number == 1


def test_settings_of_the_first_version_become_the_models(registry: RegistryService, add: AddVersion) -> None:
    add(said={"label_horizon_seconds": 60.0, "record": "durable"})

    assert registry.get_model("churn").settings == {"label_horizon_seconds": 60.0, "record": "durable"}


def test_settings_of_a_later_version_are_not_taken_and_it_is_warned(registry: RegistryService, add: AddVersion) -> None:
    add(said={"record": "durable"})

    later = add(said={"record": "off", "label_horizon_seconds": 60.0})

    assert registry.get_model("churn").settings == {"label_horizon_seconds": 60.0, "record": "durable"}
    assert later.warnings == [
        "mind the gap",
        "record = off is not taken: the model has durable; PATCH /v1/models/… changes it",
    ]


def test_promotion_loads_the_version_before_it_moves(
    registry: RegistryService, add: AddVersion, loaded: list[Resolution]
) -> None:
    add()
    add()

    registry.promote("churn", "2")

    assert [(item.model, item.number, item.role) for item in loaded] == [("churn", 2, "direct")]


def test_version_that_does_not_load_is_not_promoted(registry: RegistryService, add: AddVersion) -> None:
    add()
    add()
    registry.attach(ensure_loaded=refuse_to_load, build_reference=registry.build_reference)

    with pytest.raises(MissingExtra, match="nothing was changed: scikit-learn is not installed") as refused:
        registry.promote("churn", "2")
    assert refused.value.extra == {"extra": "sklearn"}
    assert registry.resolve("churn").number == 1
    assert len(registry.list_moves("churn").items) == 1


def test_version_that_does_not_load_is_not_rolled_back_to(registry: RegistryService, add: AddVersion) -> None:
    add()
    add()
    registry.promote("churn", "2")
    registry.attach(ensure_loaded=refuse_to_load, build_reference=registry.build_reference)

    with pytest.raises(MissingExtra):
        registry.rollback("churn")
    assert registry.resolve("churn").number == 2


def test_version_whose_artefact_is_damaged_is_not_promoted_though_it_is_in_memory(
    registry: RegistryService, add: AddVersion, loaded: list[Resolution], artefacts: ArtefactStore
) -> None:
    add()
    artefacts.delete(add().digest)

    with pytest.raises(ArtefactCorrupt, match="is gone"):
        registry.promote("churn", "2")
    assert loaded == []


def test_alias_that_answers_nothing_needs_no_load(
    registry: RegistryService, add: AddVersion, loaded: list[Resolution]
) -> None:
    add()

    registry.set_alias("churn", "baseline", "1")

    assert loaded == []


def test_alias_that_traffic_goes_to_is_loaded_before_it_moves(
    registry: RegistryService, add: AddVersion, loaded: list[Resolution]
) -> None:
    add()
    add(alias="challenger")
    registry.set_traffic("churn", canary={"alias": "challenger", "percent": 5}, shadow=None)

    registry.set_alias("churn", "challenger", "1")

    assert [item.number for item in loaded] == [2, 1]


def test_version_that_does_not_load_gets_no_traffic(registry: RegistryService, add: AddVersion) -> None:
    add()
    add(alias="challenger")
    registry.attach(ensure_loaded=refuse_to_load, build_reference=registry.build_reference)

    with pytest.raises(MissingExtra):
        registry.set_traffic("churn", canary=None, shadow="challenger")
    assert registry.get_model("churn").traffic == {}


@pytest.mark.parametrize(
    ("canary", "shadow"), [({"alias": "champion", "percent": 5}, None), (None, "champion")], ids=["canary", "shadow"]
)
def test_traffic_to_champion_is_refused(
    registry: RegistryService, add: AddVersion, canary: Any, shadow: str | None
) -> None:
    add()

    with pytest.raises(BadInput, match="name another alias"):
        registry.set_traffic("churn", canary=canary, shadow=shadow)


@pytest.mark.parametrize("alias", ["absent", "1"])
def test_traffic_to_no_alias_is_refused(registry: RegistryService, add: AddVersion, alias: str) -> None:
    add()

    with pytest.raises(UnknownVersion):
        registry.set_traffic("churn", canary={"alias": alias, "percent": 5}, shadow=None)


def test_traffic_that_ends_leaves_the_alias_free(registry: RegistryService, add: AddVersion) -> None:
    add(alias="challenger")
    registry.set_traffic("churn", canary=None, shadow="challenger")

    registry.set_traffic("churn", canary=None, shadow=None)

    assert registry.delete_alias("churn", "challenger").aliases == {"champion": 1}


def test_champion_cannot_be_deleted(registry: RegistryService, add: AddVersion) -> None:
    add()

    with pytest.raises(Conflict, match="champion cannot be deleted"):
        registry.delete_alias("churn", "champion")


def test_alias_that_is_absent_cannot_be_deleted(registry: RegistryService, add: AddVersion) -> None:
    add()

    with pytest.raises(UnknownVersion, match="no version 'absent'"):
        registry.delete_alias("churn", "absent")


def test_version_without_alias_is_deleted(registry: RegistryService, add: AddVersion) -> None:
    add()
    add()

    registry.delete_version("churn", "2")

    assert registry.version_numbers("churn") == [1]
    with pytest.raises(UnknownVersion):
        registry.resolve("churn", "2")


def test_version_with_aliases_is_not_deleted_and_they_are_named(registry: RegistryService, add: AddVersion) -> None:
    add(alias="best")

    with pytest.raises(VersionInUse, match="version 1 of 'churn' is best, champion: move the alias first"):
        registry.delete_version("churn", "1")


def test_version_is_not_deleted_by_an_alias(registry: RegistryService, add: AddVersion) -> None:
    add()

    with pytest.raises(BadInput, match="by its number, got 'champion'"):
        registry.delete_version("churn", "champion")


def test_rollback_of_a_first_champion_is_refused(registry: RegistryService, add: AddVersion) -> None:
    add()

    with pytest.raises(NothingToRollBack, match="promote a version by its number"):
        registry.rollback("churn")


@pytest.mark.parametrize("alias", ["3", "Champion", "a b"])
def test_alias_of_a_bad_name_is_refused(registry: RegistryService, add: AddVersion, alias: str) -> None:
    add()

    with pytest.raises(BadInput, match="cannot be an alias"):
        registry.set_alias("churn", alias, "1")


def test_reason_that_cannot_be_kept_is_refused_before_anything_moves(
    registry: RegistryService, add: AddVersion, loaded: list[Resolution]
) -> None:
    add()
    add()

    with pytest.raises(BadInput, match="the reason"):
        registry.promote("churn", "2", "\0")
    assert registry.resolve("churn").number == 1
    assert loaded == []


def test_operations_on_an_unknown_model_say_so(registry: RegistryService) -> None:
    for operation in (
        lambda: registry.promote("churn", "1"),
        lambda: registry.rollback("churn"),
        lambda: registry.set_alias("churn", "best", "1"),
        lambda: registry.delete_alias("churn", "best"),
        lambda: registry.set_traffic("churn", canary=None, shadow=None),
        lambda: registry.change_settings("churn", {}),
        lambda: registry.delete_model("churn"),
        lambda: registry.delete_version("churn", "1"),
        lambda: registry.list_versions("churn"),
        lambda: registry.list_moves("churn"),
        lambda: registry.version_numbers("churn"),
    ):
        with pytest.raises(UnknownModel, match="there are no models yet"):
            operation()


def test_loading_quietly_swallows_what_is_reported_elsewhere(
    registry: RegistryService, add: AddVersion, caplog: pytest.LogCaptureFixture
) -> None:
    version = add()
    registry.attach(ensure_loaded=refuse_to_load, build_reference=registry.build_reference)

    registry.load_quietly(version)

    assert "version 1 of 'churn' was added and does not load" in caplog.text


def test_interrupted_write_leaves_nothing(registry: RegistryService, add: AddVersion) -> None:
    add()
    revision = registry.snapshot().revision

    with pytest.raises(sa.exc.StatementError):
        registry.add_version(new_version("churn", example=[object()]))

    assert registry.version_numbers("churn") == [1]
    assert not registry.refresh_if_changed()
    assert registry.snapshot().revision == revision
