"""Models and their versions: what there is, and what may change about it; one operation is one transaction.

How uploads come in is in ``uploads``, how they become versions in ``tasks``, how an alias moves in ``moves``. For
reading, ``catalogue`` asks the database and ``directory`` answers requests from memory.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from mlp.clock import now
from mlp.config import Settings
from mlp.errors import BadInput, Conflict, MLPError, VersionInUse, VersionRefused
from mlp.jobs.job import Job
from mlp.jobs.service import JobService
from mlp.registry import lookup, moves, store
from mlp.registry.catalogue import Catalogue
from mlp.registry.folder import ModelFolder
from mlp.registry.names import CHAMPION, checked_alias, checked_reason, number_in
from mlp.registry.snapshot import Resolution
from mlp.registry.uploads import Uploads
from mlp.registry.values import Document, Model, MoveKind, NewVersion, Version
from mlp.signature import Signature
from mlp.storage.artefacts import ArtefactStore
from mlp.storage.database import Database

_log = logging.getLogger(__name__)

#: Loads a version, or raises why it cannot be loaded.
EnsureLoaded = Callable[[Resolution], object]
#: Makes the histograms of a folder's training rows; None where it has none.
BuildReference = Callable[[ModelFolder, Signature], Document | None]


class RegistryService(Catalogue):
    """The models of one database; safe for use by several threads, of which it has none itself.

    Attributes:
        artefacts: Where the zip files of all versions are.
        uploads: The way in for new versions.
        build_reference: See attach.
    """

    def __init__(self, database: Database, artefacts: ArtefactStore, jobs: JobService, settings: Settings) -> None:
        super().__init__(database, settings)
        self._ensure_loaded: EnsureLoaded = _nothing_to_load
        self.artefacts = artefacts
        self.uploads = Uploads(database, artefacts, jobs, settings)
        self.build_reference: BuildReference = _no_reference

    def attach(self, *, ensure_loaded: EnsureLoaded, build_reference: BuildReference) -> None:
        """Name what the domains above do for the registry.

        Args:
            ensure_loaded: Called before a version begins to answer, after its artefact was found whole.
            build_reference: Called for every new version; until then no version has a reference.
        """
        self._ensure_loaded = ensure_loaded
        self.build_reference = build_reference

    def accept_upload(
        self, model: str, chunks: Iterable[bytes], alias: str | None = None, allow_mismatch: bool = False
    ) -> Job:
        """As Uploads.accept."""
        return self.uploads.accept(model, chunks, alias=alias, allow_mismatch=allow_mismatch)

    def add_version(self, new: NewVersion, *, alias: str | None = None, settings: Document | None = None) -> Version:
        """The version with its number; the one that was added under this id before, if there is one.

        The first version of a model makes the model, and becomes its champion.

        Args:
            alias: What it shall be called besides, if nothing is called so yet: an alias that may answer requests
                moves by set_alias alone.
            settings: What its author says about the model; it holds where the model has no such setting yet, since
                a version that only joins must not change how the champion is recorded.
        """
        with self._writing() as connection:
            added = store.find_version_by_id(connection, new.id)
            if added is not None:
                return added
            before = store.find_model(connection, new.model)
            own, said = {} if before is None else before.settings, {} if settings is None else settings
            new = replace(new, warnings=[*new.warnings, *_not_taken(own, said)])
            model_id = store.ensure_model(connection, new.model, now())
            number = store.insert_version(connection, model_id, new, now())
            store.update_settings(connection, model_id, {**said, **own})
            model = lookup.get_model(connection, new.model)
            reasons = {CHAMPION: "the first version"} | ({} if alias is None else {alias: "named when it was added"})
            for name in reasons.keys() - model.aliases.keys():
                moves.move_alias(connection, model, name, new.id, number, MoveKind.SET, reasons[name])
            return lookup.get_version(connection, model, str(number))

    def load_quietly(self, version: Version) -> None:
        """Load a version that an alias names, so that its first request need not wait; readiness tells of a failure."""
        try:
            self._ensure_loaded(self.resolve(version.model, str(version.number)))
        except MLPError as error:
            _log.warning("version %d of '%s' was added and does not load: %s", version.number, version.model, error)

    def set_alias(self, model: str, alias: str, reference: str, reason: str = "") -> Model:
        """The model, its alias naming this version.

        Raises:
            UnknownModel, UnknownVersion: There is none of that name.
            BadInput: The alias or the reason cannot be stored.
            VersionRefused: Requests would reach the version, and it does not load; the alias stays where it was.
        """
        return self._move(model, checked_alias(alias), reference, MoveKind.SET, reason)

    def promote(self, model: str, reference: str, reason: str = "") -> Model:
        """The model, its champion being this version; where it is so already, nothing moves.

        Raises:
            As set_alias.
        """
        return self._move(model, CHAMPION, reference, MoveKind.PROMOTE, reason)

    def rollback(self, model: str, reason: str = "") -> Model:
        """The model, its champion being the version that it was before its last move.

        The next rollback goes one further back; see moves.

        Raises:
            UnknownModel: There is none of that name.
            NothingToRollBack: There is no earlier champion.
            VersionRefused: The earlier version does not load; champion stays where it was.
            Conflict: Champion was moved by somebody else at the same time.
        """
        with self._database.reading() as connection:
            target = moves.rollback_target(connection, lookup.get_model(connection, model))
        return self._move(model, CHAMPION, str(target), MoveKind.ROLLBACK, reason)

    def _move(self, model: str, alias: str, reference: str, kind: MoveKind, reason: str) -> Model:
        reason = checked_reason(reason)
        with self._database.reading() as connection:
            before = lookup.get_model(connection, model)
            wanted = lookup.get_resolution(connection, before, reference)
        if alias == CHAMPION or alias in _aliases_in(before.traffic):
            # Outside any transaction, since it takes seconds: it is loaded before anything depends on it.
            self._check_servable(wanted)
        with self._writing() as connection:
            current = lookup.get_model(connection, before.name)
            if kind is MoveKind.ROLLBACK and moves.rollback_target(connection, current) != wanted.number:
                raise Conflict(f"champion of '{current.name}' was moved by somebody else just now: look, and try again")
            version = lookup.get_version(connection, current, str(wanted.number))
            moves.move_alias(connection, current, alias, version.id, version.number, kind, reason)
            return self._with_defaults(lookup.get_model(connection, current.name))

    def delete_alias(self, model: str, alias: str) -> Model:
        """The model without this alias.

        Raises:
            UnknownModel, UnknownVersion: There is none of that name.
            Conflict: It is champion, without which the model would not answer.
            VersionInUse: The model's traffic goes to it.
        """
        with self._writing() as connection:
            found = lookup.get_model(connection, model)
            if alias == CHAMPION:
                raise Conflict("champion cannot be deleted: promote another version, or delete the model")
            if alias not in found.aliases:
                raise lookup.no_such_version(connection, found, alias)
            if alias in _aliases_in(found.traffic):
                raise VersionInUse(f"traffic of '{found.name}' goes to '{alias}': end that first")
            moves.delete_alias(connection, found, alias)
            return self._with_defaults(lookup.get_model(connection, found.name))

    def set_traffic(self, model: str, *, canary: Document | None, shadow: str | None) -> Model:
        """The model, its requests split as told.

        Args:
            canary: ``{"alias", "percent"}``: whose version answers that share of the unversioned requests, 0 to 100.
            shadow: The alias whose version answers all of them too, unheard.

        Raises:
            UnknownModel, UnknownVersion: There is none of that name.
            BadInput: An alias is champion, which answers the rest anyway.
            VersionRefused: A version does not load; the traffic stays as it was.
        """
        traffic = {"canary": None if canary is None else dict(canary), "shadow": shadow}
        named = _aliases_in(traffic)
        if CHAMPION in named:
            raise BadInput("champion answers whatever is left: name another alias")
        with self._database.reading() as connection:
            before = lookup.get_model(connection, model)
            wanted = [lookup.get_resolution(connection, before, alias) for alias in sorted(named)]
        for resolution in wanted:
            self._check_servable(resolution)
        with self._writing() as connection:
            current = lookup.get_model(connection, before.name)
            for alias in sorted(named - current.aliases.keys()):
                raise lookup.no_such_version(connection, current, alias)
            store.update_traffic(connection, current.id, traffic)
            return self._with_defaults(lookup.get_model(connection, current.name))

    def change_settings(self, model: str, changes: Mapping[str, Any]) -> Model:
        """The model with its settings changed.

        Args:
            changes: ``label_horizon_seconds``, ``record``; None gives a setting back to the server.

        Raises:
            UnknownModel: There is none of that name.
        """
        with self._writing() as connection:
            found = lookup.get_model(connection, model)
            settings = {name: value for name, value in {**found.settings, **changes}.items() if value is not None}
            store.update_settings(connection, found.id, settings)
            return self._with_defaults(replace(found, settings=settings))

    def delete_version(self, model: str, number: str) -> None:
        """Delete a version. What it predicted stays on record; its disk is freed by a later sweep.

        Raises:
            UnknownModel, UnknownVersion: There is none of that name.
            BadInput: Not a number: an alias is no version.
            VersionInUse: An alias names it.
        """
        if number_in(number) is None:
            raise BadInput(f"a version is deleted by its number, got '{number[:80]}'")
        with self._writing() as connection:
            version = lookup.get_version(connection, lookup.get_model(connection, model), number)
            if version.aliases:
                raise VersionInUse(
                    f"version {number} of '{version.model}' is {', '.join(version.aliases)}: move the alias first"
                )
            store.delete_version(connection, version.id)

    def delete_model(self, model: str) -> None:
        """Delete a model with all versions. What it predicted stays on record, and no number is given again.

        Raises:
            UnknownModel: There is none of that name.
        """
        with self._writing() as connection:
            store.delete_model(connection, lookup.get_model(connection, model).id)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction that others learn of, and that this process sees at once."""
        with self._database.transaction() as connection:
            store.bump_revision(connection)
            yield connection
        self.refresh_after_write()

    def _check_servable(self, wanted: Resolution) -> None:
        """Return if the version is whole on disk (also for the next start of the server), and loads.

        Raises:
            VersionRefused: It is not, or does not.
        """
        try:
            self.artefacts.open_folder(wanted.digest)
            self._ensure_loaded(wanted)
        except VersionRefused as error:
            raise type(error)(
                f"version {wanted.number} of '{wanted.model}' cannot serve, and nothing was changed: {error.message}",
                **error.extra,
            ) from error


def _nothing_to_load(_wanted: Resolution) -> None:
    return None


def _no_reference(_folder: ModelFolder, _signature: Signature) -> Document | None:
    return None


def _not_taken(own: Document, said: Document) -> list[str]:
    """What the author of a version says about the model and the model has otherwise, in sentences."""
    return [
        f"{name} = {value} is not taken: the model has {own[name]}; PATCH /v1/models/… changes it"
        for name, value in said.items()
        if own.get(name, value) != value
    ]


def _aliases_in(traffic: Document) -> set[str]:
    canary, shadow = traffic.get("canary"), traffic.get("shadow")
    return {alias for alias in (None if canary is None else canary["alias"], shadow) if alias is not None}
