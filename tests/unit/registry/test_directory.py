"""Names resolved from memory, also while the database is away."""

import pytest
import sqlalchemy as sa

from mlp.errors import DatabaseUnavailable, UnknownModel, UnknownVersion
from mlp.registry.directory import Directory
from mlp.registry.service import RegistryService
from mlp.storage.database import Database
from tests.unit.registry.conftest import AddVersion
from tests.versions import SIGNATURE, new_version


class Queries:
    """Counts the queries of a database, and lets them fail when told to."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        self.are_failing = False
        sa.event.listen(database.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        self.count += 1
        if self.are_failing:
            raise sa.exc.OperationalError(statement, None, OSError("connection refused"))


@pytest.fixture
def queries(database: Database) -> Queries:
    return Queries(database)


def test_directory_knows_nothing_before_its_first_refresh(database: Database) -> None:
    assert Directory(database).snapshot().models == {}


def test_aliased_version_is_resolved_without_a_query(
    registry: RegistryService, add: AddVersion, queries: Queries
) -> None:
    add(alias="challenger")
    queries.count = 0

    for reference in (None, "champion", "challenger", "1"):
        assert registry.resolve("churn", reference).number == 1
        assert registry.find("churn", reference) is not None

    assert queries.count == 0


def test_version_without_alias_is_asked_for_once(registry: RegistryService, add: AddVersion, queries: Queries) -> None:
    add()
    add()
    assert registry.find("churn", "2") is None
    assert registry.resolve("churn", "2").number == 2
    queries.count = 0

    assert registry.resolve("churn", "2").number == 2
    assert registry.find("churn", "2") is not None
    assert queries.count == 0


def test_versions_without_alias_are_forgotten_when_the_registry_changes(
    registry: RegistryService, add: AddVersion
) -> None:
    add()
    add()
    registry.resolve("churn", "2")

    registry.refresh()

    assert registry.find("churn", "2") is None


def test_names_in_memory_are_found_while_the_database_is_away(
    registry: RegistryService, add: AddVersion, queries: Queries
) -> None:
    add()
    queries.are_failing = True

    assert registry.resolve("churn").number == 1
    assert registry.get_entry("churn").name == "churn"
    assert registry.find_signature("churn", 1) == SIGNATURE
    with pytest.raises(DatabaseUnavailable):
        registry.refresh_if_changed()
    with pytest.raises(DatabaseUnavailable):
        registry.resolve("churn", "7")
    assert registry.resolve("churn").number == 1


def test_committed_write_is_no_failure_because_reading_it_back_fails(
    registry: RegistryService, add: AddVersion, queries: Queries, database: Database
) -> None:
    add()

    @sa.event.listens_for(database.engine, "commit")
    def fail_from_now_on(connection: sa.Connection) -> None:
        queries.are_failing = True

    registry.add_version(new_version("other"))

    queries.are_failing = False
    sa.event.remove(database.engine, "commit", fail_from_now_on)
    assert "other" not in registry.snapshot().models
    assert registry.refresh_if_changed()
    assert "other" in registry.snapshot().models


def test_unknown_model_is_told_with_a_suggestion(registry: RegistryService, add: AddVersion) -> None:
    add()

    with pytest.raises(UnknownModel, match=r"^unknown model 'chrun': did you mean 'churn'"):
        registry.resolve("chrun")
    with pytest.raises(UnknownModel, match="did you mean"):
        registry.get_entry("chrun")
    assert registry.find_entry("chrun") is None


def test_unknown_version_is_told_with_what_there_is(registry: RegistryService, add: AddVersion) -> None:
    add()
    add()

    with pytest.raises(UnknownVersion, match=r"^model 'churn' has no version '7': it has '2', '1' \(champion is 1"):
        registry.resolve("churn", "7")


def test_signature_of_what_is_gone_is_none(registry: RegistryService, add: AddVersion) -> None:
    add()

    assert registry.find_signature("churn", 9) is None
    assert registry.find_signature("gone", 1) is None
