"""What there is in the registry: models, versions and moves, singly and by the page, as the database has them now."""

from dataclasses import replace

from mlp.config import Settings
from mlp.registry import lookup, store
from mlp.registry.directory import Directory
from mlp.registry.values import AliasMove, Document, Model, Version
from mlp.storage.database import Database
from mlp.storage.paging import LIMIT_DEFAULT, Page, check_limit, decode_cursor, page_of

# The settings that a model may have for itself; the server has them all under the same names.
_SETTINGS = ("label_horizon_seconds", "record")


class Catalogue(Directory):
    """The registry for reading: names from memory (see Directory), everything else from the database, which blocks."""

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__(database)
        self._settings = settings

    def list_models(self, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> Page[Model]:
        """Models in the order of their names.

        Raises:
            BadInput: The cursor is of another list, or the limit out of bounds.
        """
        check_limit(limit)
        after = decode_cursor(cursor, str)
        with self._database.reading() as connection:
            found = store.list_models(connection, None if after is None else str(after[0]), limit + 1)
        return page_of(found, limit, lambda model: (model.name,)).map(self._with_defaults)

    def get_model(self, name: str) -> Model:
        """The model with all its settings, the server's where it has none of its own.

        Raises:
            UnknownModel: There is none of that name.
        """
        with self._database.reading() as connection:
            return self._with_defaults(lookup.get_model(connection, name))

    def list_versions(self, model: str, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> Page[Version]:
        """Versions of a model, the newest first.

        Raises:
            UnknownModel: There is none of that name.
            BadInput: The cursor is of another list, or the limit out of bounds.
        """
        check_limit(limit)
        below = decode_cursor(cursor, int)
        with self._database.reading() as connection:
            model_id = lookup.get_model(connection, model).id
            found = store.list_versions(connection, model_id, None if below is None else int(below[0]), limit + 1)
        return page_of(found, limit, lambda version: (version.number,))

    def version_numbers(self, model: str) -> list[int]:
        """The numbers of all versions of a model, the oldest first.

        Raises:
            UnknownModel: There is none of that name.
        """
        with self._database.reading() as connection:
            return sorted(store.list_version_numbers(connection, lookup.get_model(connection, model).id))

    def get_version(self, model: str, reference: str) -> Version:
        """The version that a number or an alias names.

        Raises:
            UnknownModel, UnknownVersion: There is none of that name.
        """
        with self._database.reading() as connection:
            return lookup.get_version(connection, lookup.get_model(connection, model), reference)

    def find_reference(self, model: str, number: int) -> Document | None:
        """The histograms of a version's training rows; None if it has none, or is not there."""
        entry = self.find_entry(model)
        if entry is None:
            return None
        with self._database.reading() as connection:
            return store.find_reference(connection, entry.id, number)

    def list_moves(self, model: str, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> Page[AliasMove]:
        """Moves of a model's aliases, the newest first.

        Raises:
            UnknownModel: There is none of that name.
            BadInput: The cursor is of another list, or the limit out of bounds.
        """
        check_limit(limit)
        before = decode_cursor(cursor, str)
        with self._database.reading() as connection:
            model_id = lookup.get_model(connection, model).id
            found = store.list_moves(connection, model_id, None if before is None else str(before[0]), limit + 1)
        return page_of(found, limit, lambda move: (move.id,))

    def find_added(self, version_id: str) -> Version | None:
        """The version that was added under this id before."""
        with self._database.reading() as connection:
            return store.find_version_by_id(connection, version_id)

    def _with_defaults(self, model: Model) -> Model:
        """The model with the server's settings where it has none of its own."""
        servers = {name: getattr(self._settings, name) for name in _SETTINGS}
        return replace(model, settings={**servers, **model.settings})
