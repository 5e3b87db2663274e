"""Moves an alias and writes it down, and finds where champion goes when it is rolled back.

Champion's moves are a trail that rollbacks walk back: 1, 2, 3, rollback (to 2), rollback (to 1). A move after that
goes on from there: promote 4, rollback (to 1 again).
"""

import uuid
from collections.abc import Iterable

import sqlalchemy as sa

from mlp.clock import new_id, now
from mlp.errors import NothingToRollBack
from mlp.registry import store
from mlp.registry.names import CHAMPION
from mlp.registry.values import AliasMove, Model, MoveKind


def move_alias(
    connection: sa.Connection, model: Model, alias: str, version_id: str, number: int, kind: MoveKind, reason: str
) -> None:
    """Let the alias name a version, and write the move down; where it names that version already, nothing moves.

    Args:
        model: As it is in this transaction.
        number: Of the version with this id.
    """
    previous = model.aliases.get(alias)
    if previous != number:
        store.set_alias(connection, model.id, alias, version_id, now())
        _write_down(connection, model.id, alias, kind, previous, number, reason)


def delete_alias(connection: sa.Connection, model: Model, alias: str) -> None:
    """Let an alias of the model name nothing, and write that down."""
    store.delete_alias(connection, model.id, alias)
    _write_down(connection, model.id, alias, MoveKind.DELETE, model.aliases[alias], None, "")


def _write_down(
    connection: sa.Connection,
    model_id: str,
    alias: str,
    kind: MoveKind,
    from_number: int | None,
    to_number: int | None,
    reason: str,
) -> None:
    newest = store.list_moves(connection, model_id, None, limit=1)
    move_id = _later_id(newest[0].id if newest else None)
    store.insert_move(connection, model_id, AliasMove(move_id, alias, kind, from_number, to_number, reason, now()))


def _later_id(previous_id: str | None) -> str:
    """A new id that sorts behind the previous one, even if another machine's clock was ahead, or ours went back."""
    made = new_id()
    if previous_id is None or made > previous_id:
        return made
    return str(uuid.UUID(int=uuid.UUID(previous_id).int + 1))


def champion_trail(moves: Iterable[AliasMove]) -> list[int]:
    """The versions that champion named, the present one last, without those that were rolled back.

    Args:
        moves: Champion's, the oldest first.
    """
    trail: list[int] = []
    for move in moves:
        if move.to_number is None:
            continue
        if move.kind is MoveKind.ROLLBACK:
            while trail and trail[-1] != move.to_number:
                trail.pop()
        if not trail or trail[-1] != move.to_number:
            trail.append(move.to_number)
    return trail


def rollback_target(connection: sa.Connection, model: Model) -> int:
    """The number of the version that champion named before; deleted ones on the way are passed over.

    Raises:
        NothingToRollBack: There is none.
    """
    current = model.aliases.get(CHAMPION)
    before = champion_trail(store.list_moves_of(connection, model.id, CHAMPION))[:-1]
    present = set(store.list_version_numbers(connection, model.id))
    for number in reversed(before):
        if number != current and number in present:
            return number
    raise NothingToRollBack(
        f"model '{model.name}': no earlier champion is left to go back to: promote a version by its number"
    )
