"""A prediction request as the doors hand it to the service, whichever door it came through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlp.errors import BadInput
from mlp.inference.bodies import KEY_CHARACTERS_MAX, RowsBody, event_micros
from mlp.inference.loaded_models import LoadedVersion
from mlp.inference.records import BodyForm
from mlp.signature import Batch
from mlp.signature.batch import RowValues

#: Reads the request's input with the version's readers, once the version is known: rows, or arrays.
InputReader = Callable[[LoadedVersion], "Sequence[RowValues] | Batch"]


@dataclass(frozen=True, slots=True)
class Question:
    """One prediction request, as a door hands it in.

    Attributes:
        reference: A version number or alias; None lets the model's traffic decide.
        read: Reads the input for the version that was chosen.
        body: The request's body as it came, for the record.
        keys: The caller's own key per row, or None.
        client_id: The caller's own id of the whole request; the key of every row that has none of its own.
        at_micros: When the predicted event happened; None: now.
        mode: ``online`` or ``queued``.
    """

    model: str
    reference: str | None
    read: InputReader
    body: bytes
    form: BodyForm
    keys: list[str | None] | None = None
    client_id: str | None = None
    at_micros: int | None = None
    mode: str = "online"

    def recorded_keys(self, rows: int) -> list[str | None] | None:
        """The key per row as it goes on record."""
        if self.keys is not None or self.client_id is None:
            return self.keys
        return [self.client_id[:KEY_CHARACTERS_MAX]] * rows


def rows_question(model: str, reference: str | None, body: bytes, parsed: RowsBody, mode: str = "online") -> Question:
    """The question that a parsed body of rows puts to a model."""
    return Question(
        model=model,
        reference=reference,
        read=lambda loaded: loaded.row_reader.read(parsed.rows),
        body=body,
        form="rows",
        keys=parsed.keys,
        at_micros=event_micros(parsed.at),
        mode=mode,
    )


def check_keys(keys: Sequence[str | None] | None, rows: int) -> None:
    """Return if there are no keys, or one per row.

    Raises:
        BadInput: There are more or fewer.
    """
    if keys is not None and len(keys) != rows:
        raise BadInput(f"{len(keys)} keys for {rows} rows: give one key per row, null where a row has none")
