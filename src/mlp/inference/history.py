"""Reads recorded inferences back: one with its inputs and outputs, or pages of them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mlp.clock import from_micros, micros
from mlp.errors import UnknownInference
from mlp.inference import store
from mlp.inference.schemas import InferenceItem, InferencePage, InferenceSummary, RecordedRow
from mlp.inference.store import InferenceRow
from mlp.signature import Signature
from mlp.storage.database import Database
from mlp.storage.paging import decode_cursor, page_of


class InferenceHistory:
    """What was predicted, as far as it has reached the database (within a second, while that is well)."""

    def __init__(self, database: Database, find_signature: Callable[[str, int], Signature | None]) -> None:
        self._database = database
        self._find_signature = find_signature

    def get(self, inference_id: str) -> InferenceItem:
        """One recorded request.

        Raises:
            UnknownInference: No such id, or not yet moved from the spool, or deleted by age.
        """
        with self._database.reading() as connection:
            rows = [row for row in store.find_rows(connection, inference_id) if row.role != "shadow"]
            inputs, outputs = store.find_payload(connection, inference_id)
        if not rows:
            raise UnknownInference(
                f"no inference '{inference_id}' on record: a new one takes a second to appear, an old one may have "
                "been deleted by its age"
            )
        first = rows[0]
        return InferenceItem(
            id=first.id,
            model=first.model,
            version=str(first.version),
            role=first.role,
            mode=first.mode,
            at=first.at,
            recorded_at=first.recorded_at,
            rows=self._recorded_rows(rows, inputs, outputs),
        )

    def _recorded_rows(
        self, rows: Sequence[InferenceRow], inputs: bytes | None, outputs: bytes | None
    ) -> list[RecordedRow]:
        signature = self._find_signature(rows[0].model, rows[0].version)
        values: list[list[Any]] | None = None if inputs is None else msgspec.json.decode(inputs)
        answers: dict[str, list[Any]] | None = None if outputs is None else msgspec.json.decode(outputs)
        names = None if signature is None else signature.input_names
        return [
            RecordedRow(
                row=row.row,
                key=row.key,
                inputs=None if values is None or names is None else dict(zip(names, values[row.row], strict=True)),
                output=None if answers is None else {name: answer[row.row] for name, answer in answers.items()},
                score=row.score,
                predicted=row.predicted,
                label=row.label,
                labelled_at=row.label_at,
            )
            for row in rows
        ]

    def list_page(
        self,
        *,
        model: str | None,
        key: str | None,
        since: datetime | None,
        until: datetime | None,
        limit: int,
        cursor: str | None,
    ) -> InferencePage:
        """Rows newest first.

        Raises:
            BadInput: The cursor is none of ours.
        """
        key_types = (int, str, int, int)
        after = decode_cursor(cursor, *key_types)
        with self._database.reading() as connection:
            found = store.list_rows(
                connection,
                model=model,
                key=key,
                since=since,
                until=until,
                after=None if after is None else (from_micros(int(after[0])), *after[1:]),
                limit=limit + 1,
            )
        page = page_of(found, limit, lambda row: (micros(row.at), row.id, row.row, row.version))
        return InferencePage(inferences=[_summary(row) for row in page], next=page.next)


def _summary(row: InferenceRow) -> InferenceSummary:
    return InferenceSummary(
        id=row.id,
        row=row.row,
        key=row.key,
        model=row.model,
        version=str(row.version),
        role=row.role,
        at=row.at,
        score=row.score,
        predicted=row.predicted,
        label=row.label,
    )
