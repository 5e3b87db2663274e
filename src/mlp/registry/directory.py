"""Answers which version a name means from memory, and keeps that memory fresh by watching the registry's revision.

While the database is away, everything that an alias names goes on being found.
"""

import logging
import threading
from typing import NamedTuple

from mlp.errors import DatabaseUnavailable, UnknownName
from mlp.registry import store
from mlp.registry.names import CHAMPION, number_in, stored_name, unknown_model, unknown_version
from mlp.registry.snapshot import DIRECT, ModelEntry, Resolution, Snapshot, read_snapshot, resolution_of
from mlp.registry.store import ServedVersion
from mlp.signature import Signature
from mlp.storage.database import Database

_log = logging.getLogger(__name__)
#: Versions without alias that are remembered until the registry changes; more only cost a query each.
_OTHERS_MAX = 1024


class _Known(NamedTuple):
    """A snapshot, and the versions outside it that were asked for since, by model id and number."""

    snapshot: Snapshot
    others: dict[tuple[str, int], ServedVersion]


class Directory:
    """Resolves names to versions; safe for use by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refreshing = threading.Lock()
        self._known = _Known(Snapshot(), {})

    def snapshot(self) -> Snapshot:
        """What this process knows now; empty before the first refresh."""
        return self._known.snapshot

    def refresh(self) -> Snapshot:
        """The registry as it is in the database now.

        Raises:
            DatabaseUnavailable: What was known before stays in force.
        """
        with self._refreshing, self._database.reading() as connection:
            # Replaced as one, so that a version that was deleted meanwhile is not remembered beside the new snapshot.
            self._known = _Known(read_snapshot(connection, self._known.snapshot), {})
            return self._known.snapshot

    def refresh_if_changed(self) -> bool:
        """Whether somebody had changed the registry, and it was read again; costs one small query else.

        Raises:
            DatabaseUnavailable: What was known before stays in force.
        """
        with self._database.reading() as connection:
            is_changed = store.read_revision(connection) != self._known.snapshot.revision
        if is_changed:
            self.refresh()
        return is_changed

    def refresh_after_write(self) -> None:
        """As refresh, but what was committed is not called a failure because reading it back failed."""
        try:
            self.refresh()
        except DatabaseUnavailable as error:
            _log.warning("the registry was changed and is read again later: %s", error)

    def find(self, model: str, reference: str | None = None) -> Resolution | None:
        """The version that a reference (None: the champion) names, from memory alone; None: ask resolve."""
        known = self._known
        found = known.snapshot.find(model, reference)
        if found is not None or reference is None:
            return found
        entry, number = known.snapshot.models.get(model), number_in(reference)
        if entry is None or number is None:
            return None
        version = known.others.get((entry.id, number))
        return None if version is None else resolution_of(model, version, DIRECT)

    def resolve(self, model: str, reference: str | None = None) -> Resolution:
        """The version that a reference (None: the champion) names.

        Answers from memory what find answers; for anything else it asks the database, and blocks.

        Raises:
            UnknownModel: There is none of that name; the message suggests one.
            UnknownVersion: The model has no such version; the message says what it has.
            DatabaseUnavailable: It is not in memory, and the database does not answer.
        """
        found = self.find(model, reference)
        if found is not None:
            return found
        self.refresh_if_changed()
        entry = self.get_entry(model)
        return self.find(entry.name, reference) or self._fetch(entry, CHAMPION if reference is None else reference)

    def find_signature(self, model: str, number: int) -> Signature | None:
        """The signature of a version, as resolve finds it; None if there is none of that name and number (any more).

        Raises:
            DatabaseUnavailable: It is not in memory, and the database does not answer.
        """
        try:
            return self.resolve(model, str(number)).signature
        except UnknownName:
            return None

    def find_entry(self, model: str) -> ModelEntry | None:
        """The model of that name, from memory alone; None if it is not known here."""
        return self._known.snapshot.models.get(model)

    def get_entry(self, model: str) -> ModelEntry:
        """The model of that name; asks the database, and blocks, where memory does not have it.

        Raises:
            UnknownModel: There is none; the message suggests one.
            DatabaseUnavailable: It is not in memory, and the database does not answer.
        """
        entry = self.find_entry(model)
        if entry is not None:
            return entry
        self.refresh_if_changed()
        models = self._known.snapshot.models
        entry = models.get(stored_name(model) or model)
        if entry is None:
            raise unknown_model(model, models.keys())
        return entry

    def _fetch(self, entry: ModelEntry, reference: str) -> Resolution:
        known = self._known
        number = number_in(reference)
        with self._database.reading() as connection:
            version = None if number is None else store.find_served_version(connection, entry.id, number)
            if version is None:
                newest = store.list_version_numbers(connection, entry.id, limit=6)
                raise unknown_version(entry.name, reference, entry.aliases, newest)
        if len(known.others) < _OTHERS_MAX:
            known.others[(entry.id, version.number)] = version
        return resolution_of(entry.name, version, DIRECT)
