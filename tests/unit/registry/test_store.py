"""The SQL of the registry: what a transaction leaves, and how much it reads."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from mlp.registry import store
from mlp.registry.values import AliasMove, MoveKind
from mlp.storage.database import Database
from tests.versions import SIGNATURE, new_version

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_revision_grows_with_each_transaction_that_announces_a_change(database: Database) -> None:
    with database.reading() as connection:
        before = store.read_revision(connection)
    for _ in range(2):
        with database.transaction() as connection:
            store.bump_revision(connection)

    with database.reading() as connection:
        assert store.read_revision(connection) == before + 2


def test_revision_of_a_transaction_that_failed_stays(database: Database) -> None:
    def fail_after_announcing() -> None:
        with database.transaction() as connection:
            store.bump_revision(connection)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_announcing()

    with database.reading() as connection:
        assert store.read_revision(connection) == 0


def test_version_number_counts_what_was_ever_made(database: Database) -> None:
    with database.transaction() as connection:
        model_id = store.ensure_model(connection, "churn", AT)
        first, second = new_version("churn"), new_version("churn")
        numbers = [store.insert_version(connection, model_id, new, AT) for new in (first, second)]
        store.delete_version(connection, second.id)
        numbers.append(store.insert_version(connection, model_id, new_version("churn"), AT))

        assert numbers == [1, 2, 3]
        assert store.list_version_numbers(connection, model_id) == [3, 1]
        assert store.list_version_numbers(connection, model_id, limit=1) == [3]


def test_model_is_there_while_it_has_versions(database: Database) -> None:
    later = AT + timedelta(days=1)
    with database.transaction() as connection:
        model_id = store.ensure_model(connection, "churn", AT)
        assert store.find_model(connection, "churn") is None
        store.insert_version(connection, model_id, new_version("churn"), AT)
        assert store.ensure_model(connection, "churn", later) == model_id
        model = store.find_model(connection, "churn")
        assert model is not None
        assert model.created_at == AT

        store.delete_model(connection, model_id)

        assert store.find_model(connection, "churn") is None
        assert store.list_models(connection, None, 10) == []
        assert store.list_named_models(connection) == []
        assert store.list_model_names(connection) == []
        assert store.ensure_model(connection, "churn", later) == model_id
        assert store.insert_version(connection, model_id, new_version("churn"), later) == 2
        model = store.find_model(connection, "churn")
        assert model is not None
        assert model.created_at == later


def test_served_versions_of_many_ids_are_found_in_portions(database: Database) -> None:
    with database.transaction() as connection:
        model_id = store.ensure_model(connection, "churn", AT)
        new = new_version("churn")
        store.insert_version(connection, model_id, new, AT)

        ids = [*(f"absent-{index}" for index in range(1200)), new.id]
        assert [version.id for version in store.list_served_versions(connection, ids)] == [new.id]


def test_alias_of_a_deleted_version_cannot_stay(database: Database) -> None:
    with database.transaction() as connection:
        model_id = store.ensure_model(connection, "churn", AT)
        new = new_version("churn")
        store.insert_version(connection, model_id, new, AT)
        store.set_alias(connection, model_id, "champion", new.id, AT)

    with pytest.raises(sa.exc.IntegrityError), database.transaction() as connection:
        store.delete_version(connection, new.id)


def test_move_comes_back_as_it_was_written(database: Database) -> None:
    move = AliasMove("0001", "champion", MoveKind.ROLLBACK, 2, None, "weil's\nbesser war", AT)
    with database.transaction() as connection:
        model_id = store.ensure_model(connection, "churn", AT)
        store.insert_move(connection, model_id, move)

        assert store.list_moves(connection, model_id, None, 10) == [move]
        assert store.list_moves_of(connection, model_id, "champion") == [move]
        assert store.list_moves_of(connection, model_id, "other") == []


def test_list_of_versions_reads_no_reference(database: Database) -> None:
    read: list[str] = []
    with database.transaction() as connection:
        model_id = store.ensure_model(connection, "churn", AT)
        store.insert_version(connection, model_id, new_version("churn", reference={"large": 1}), AT)
    sa.event.listen(database.engine, "before_cursor_execute", lambda *event: read.append(event[2]))

    with database.reading() as connection:
        (version,) = store.list_versions(connection, model_id, None, 10)

    assert version.has_reference
    assert version.signature == SIGNATURE
    assert not [statement for statement in read if "versions.reference," in statement]
