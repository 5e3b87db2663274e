"""Moves recorded inferences from the spool to the database, in a thread of its own, exactly once.

How far a spool was moved stands in the database, written by the transaction that moved it: after any crash the
next drain goes on from there. While the database is away the spool grows and predictions go on. Others who need
every recorded row once (labels that wait, feature counts) take part in the same transaction.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from mlp.errors import MLPError, Unavailable
from mlp.inference import metrics, store
from mlp.inference.answers import labels, scores
from mlp.inference.bodies import BodyReader, ReadBody
from mlp.inference.records import Record, decode
from mlp.inference.spool import (
    OrphanSpool,
    Position,
    SpoolWriter,
    adopt_orphans,
    backlog_bytes,
    read_frames,
)
from mlp.inference.store import NewPayload, NewRow
from mlp.signature import Signature
from mlp.storage.database import Database

_log = logging.getLogger(__name__)
_ROWS_PER_TRANSACTION = 2_000
_RETRY_SECONDS_MAX = 5.0
_ORPHANS_EVERY_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class DrainedRecord:
    """A record with its input read back.

    Attributes:
        read: The input as rows and as a batch; None where it could not be read, for instance because the version
            has been deleted since.
        scores: The positive class's probability or the value, per row.
    """

    record: Record
    signature: Signature | None
    read: ReadBody | None
    scores: list[float | None]
    predicted: list[Any]


#: Takes part in the transaction that moves records.
Observer = Callable[[sa.Connection, Sequence[DrainedRecord]], None]


class Drain:
    """Empties this process's spool, and those of processes that are gone.

    Args:
        find_signature: The signature of a model's version, or None where it is unknown.
        observers: Called in the moving transaction with every record, once.
    """

    def __init__(
        self,
        database: Database,
        root: Path,
        writer: SpoolWriter,
        find_signature: Callable[[str, int], Signature | None],
        observers: Sequence[Observer],
        *,
        interval_seconds: float,
    ) -> None:
        self._database = database
        self._root = root
        self._writer = writer
        self._find_signature = find_signature
        self._observers = observers
        self._interval_seconds = interval_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._trouble: str | None = None
        self._rounds = 0
        self._moved_to: Position | None = None
        self._readers: dict[tuple[str, int], BodyReader] = {}

    @property
    def trouble(self) -> str | None:
        """Why the last round failed; None while it works. Readiness shows it."""
        return self._trouble

    def start(self) -> None:
        """Begin draining."""
        self._thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Drain what is there, once, then stop; what cannot be moved stays in the spool."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def remove_emptied(self) -> None:
        """Delete this process's spool if all of it is in the database; called when its writer is closed.

        What could not be moved stays, and the next process adopts it.
        """
        if self._trouble is not None or self._moved_to != self._writer.position():
            return
        with self._database.transaction() as connection:
            store.delete_progress(connection, self._writer.id)
        shutil.rmtree(self._writer.folder, ignore_errors=True)

    def _run(self) -> None:
        pause_seconds = self._interval_seconds
        while not self._stopping.wait(pause_seconds):
            pause_seconds = self._round(pause_seconds)
        self._round(pause_seconds)

    def _round(self, pause_seconds: float) -> float:
        """One round; returns the pause before the next, longer after each failure."""
        try:
            self.drain_once()
        except Unavailable as error:
            self._note_trouble(error.message, error.code)
            return min(_RETRY_SECONDS_MAX, max(pause_seconds, 0.1) * 2)
        except Exception as error:  # a defect here must not end the thread: the spool would only grow
            _log.exception("the drain failed")
            self._note_trouble(f"{type(error).__name__}: {error}", "internal")
            return _RETRY_SECONDS_MAX
        if self._trouble is not None:
            _log.info("recorded inferences reach the database again")
            self._trouble = None
        return self._interval_seconds

    def _note_trouble(self, reason: str, code: str) -> None:
        metrics.drain_failures.labels(code).inc()
        if self._trouble is None:
            _log.error("recorded inferences wait in the spool: %s", reason)
        self._trouble = reason

    def drain_once(self) -> int:
        """Move everything that is complete now; returns the number of records.

        Raises:
            DatabaseUnavailable, StorageFull: Nothing of the current portion was moved.
        """
        moved = 0
        if self._rounds % _ORPHANS_EVERY_ROUNDS == 0:
            moved += sum(self._drain_orphan(orphan) for orphan in adopt_orphans(self._root, self._writer.id))
            metrics.spool_bytes.set(backlog_bytes(self._root))
        self._rounds += 1
        stop = self._writer.position()
        if stop == self._moved_to:
            return moved
        moved += self._drain_spool(self._writer.id, self._writer.folder, stop)
        self._moved_to = stop
        self._writer.forget_before(stop.segment)
        metrics.spool_bytes.set(backlog_bytes(self._root))
        return moved

    def _drain_orphan(self, orphan: OrphanSpool) -> int:
        try:
            moved = self._drain_spool(orphan.id, orphan.folder, None)
        except BaseException:
            orphan.release()
            raise
        orphan.remove()
        with self._database.transaction() as connection:
            store.delete_progress(connection, orphan.id)
        if moved:
            _log.info("adopted the records of a process that is gone", extra={"records": moved})
        return moved

    def _drain_spool(self, spool: str, folder: Path, stop: Position | None) -> int:
        with self._database.reading() as connection:
            position = store.get_progress(connection, spool)
        moved = 0
        portion: list[Record] = []
        rows = 0
        for frame, end in read_frames(folder, position, stop):
            record = decode(frame)
            portion.append(record)
            rows += record.rows
            position = end
            if rows >= _ROWS_PER_TRANSACTION:
                self._move(spool, portion, position)
                moved += len(portion)
                portion, rows = [], 0
        if portion:
            self._move(spool, portion, position)
        return moved + len(portion)

    def _move(self, spool: str, portion: Sequence[Record], position: Position) -> None:
        drained = [self._read(record) for record in portion]
        rows = [row for item in drained for row in _rows(item)]
        payloads = [_payload(item) for item in drained if item.record.role != "shadow"]
        with self._database.transaction() as connection:
            store.insert(connection, rows, payloads)
            for observe in self._observers:
                observe(connection, drained)
            store.set_progress(connection, spool, position)
        metrics.drained_rows.inc(len(rows))
        self._count_unknown(drained)

    def _count_unknown(self, drained: Sequence[DrainedRecord]) -> None:
        """Here, where every input passes once, and off the path of the answers; a shadow's input is its champion's."""
        for item in drained:
            reader = self._reader(item.record)
            if reader is not None and item.read is not None and item.record.role != "shadow":
                metrics.unknown_categories.labels(item.record.model).inc(reader.count_unknown(item.read.rows))

    def _reader(self, record: Record) -> BodyReader | None:
        key = (record.model, record.version)
        if key not in self._readers:
            signature = self._find_signature(*key)
            if signature is None:
                return None
            self._readers[key] = BodyReader(record.model, signature)
        return self._readers[key]

    def _read(self, record: Record) -> DrainedRecord:
        reader = self._reader(record)
        signature = None if reader is None else reader.signature
        read: ReadBody | None = None
        if reader is not None:
            try:
                read = reader.read(record)
            except MLPError as error:
                _log.error("a recorded input cannot be read back: %s", error, extra={"inference_id": record.id})
        nothing: list[Any] = [None] * record.rows
        if signature is None or record.outputs is None:
            return DrainedRecord(record, signature, read, nothing, nothing)
        return DrainedRecord(
            record, signature, read, scores(signature, record.outputs), labels(signature, record.outputs)
        )


def _rows(item: DrainedRecord) -> list[NewRow]:
    record = item.record
    keys = record.keys if record.keys is not None else [None] * record.rows
    at, recorded_at = record.at, record.recorded_at
    return [
        NewRow(
            record.id,
            row,
            record.version,
            record.model,
            record.role,
            record.mode,
            keys[row],
            at,
            recorded_at,
            item.scores[row],
            None if item.predicted[row] is None else msgspec.json.encode(item.predicted[row]).decode(),
        )
        for row in range(record.rows)
    ]


def _payload(item: DrainedRecord) -> NewPayload:
    record = item.record
    return NewPayload(
        id=record.id,
        inputs=None if item.read is None else msgspec.json.encode(item.read.json_rows()),
        outputs=None if record.outputs is None else msgspec.json.encode(record.outputs),
        recorded_at=record.recorded_at,
    )
