"""Where champion goes when it is rolled back."""

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.registry import store
from mlp.registry.moves import champion_trail, move_alias
from mlp.registry.service import RegistryService
from mlp.registry.values import AliasMove, MoveKind
from mlp.storage.database import Database
from tests.unit.registry.conftest import AddVersion

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def move(kind: MoveKind, to_number: int | None) -> AliasMove:
    return AliasMove("", "champion", kind, None, to_number, "", EPOCH)


def forward(*numbers: int) -> list[AliasMove]:
    return [move(MoveKind.PROMOTE, number) for number in numbers]


def back(to_number: int) -> list[AliasMove]:
    return [move(MoveKind.ROLLBACK, to_number)]


@pytest.mark.parametrize(
    ("moves", "trail"),
    [
        ([], []),
        (forward(1), [1]),
        (forward(1, 2, 3), [1, 2, 3]),
        (forward(1, 2, 3) + back(2), [1, 2]),
        (forward(1, 2, 3) + back(2) + back(1), [1]),
        (forward(1, 2, 3) + back(2) + back(1) + forward(4), [1, 4]),
        (forward(1, 2, 3) + back(1), [1]),
        (forward(1, 2, 1), [1, 2, 1]),
        (forward(1, 2, 1) + back(2), [1, 2]),
        ([move(MoveKind.SET, 1), move(MoveKind.SET, 2)], [1, 2]),
        (forward(1, 1), [1]),
        (forward(1) + back(7), [7]),
        ([move(MoveKind.DELETE, None), *forward(1)], [1]),
    ],
)
def test_trail_is_what_rollbacks_left_of_the_moves(moves: list[AliasMove], trail: list[int]) -> None:
    assert champion_trail(moves) == trail


@given(st.lists(st.one_of(st.integers(1, 5), st.just(None)), max_size=30))
def test_trail_behaves_as_a_stack(steps: list[int | None]) -> None:
    """Numbers move champion forward; None rolls it back where there is anything to go back to."""
    moves: list[AliasMove] = []
    stack: list[int] = []
    for step in steps:
        if step is not None and stack[-1:] != [step]:
            stack.append(step)
            moves += forward(step)
        elif step is None and len(stack) > 1:
            stack.pop()
            moves += back(stack[-1])

    assert champion_trail(moves)[-1:] == stack[-1:]
    assert champion_trail(moves) == stack


def test_moves_keep_their_order_when_the_clock_went_back(
    registry: RegistryService, database: Database, add: AddVersion
) -> None:
    versions = [add(), add()]
    model = registry.get_model("churn")
    future = AliasMove(str(uuid.UUID(int=2**128 - 5)), "champion", MoveKind.SET, 1, 1, "from the future", EPOCH)
    with database.transaction() as connection:
        store.insert_move(connection, model.id, future)

    with database.transaction() as connection:
        move_alias(connection, model, "champion", versions[1].id, 2, MoveKind.PROMOTE, "now")

    assert [move.reason for move in registry.list_moves("churn")] == ["now", "from the future", "the first version"]


def test_move_to_where_the_alias_is_writes_nothing(
    registry: RegistryService, database: Database, add: AddVersion
) -> None:
    version = add()

    with database.transaction() as connection:
        move_alias(connection, registry.get_model("churn"), "champion", version.id, 1, MoveKind.SET, "again")

    assert len(registry.list_moves("churn").items) == 1
