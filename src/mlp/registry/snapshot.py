"""The registry as requests see it: every model with its aliased versions, in memory, frozen at one revision.

Versions without alias are not in it, so that it stays small whatever a model's history; the service fetches those.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from mlp.registry import store
from mlp.registry.names import CHAMPION, number_in
from mlp.registry.store import ServedVersion
from mlp.registry.values import Document
from mlp.signature import Signature

#: The role of a version that was asked for by its number.
DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The version that a reference names now, with all that is needed to load it and to ask it.

    Attributes:
        number: Of the version within its model.
        digest: SHA-256 of its artefact.
        runtime: The name of the runtime that loads it.
        environment: Python and packages with which it was accepted; compared again when it is loaded.
        role: The alias that it was asked for by; ``direct`` for a number.
    """

    model: str
    number: int
    digest: str
    signature: Signature
    runtime: str
    environment: Document
    role: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model.

    Attributes:
        settings: What the model sets for itself; what is absent or None, the server's settings say.
        traffic: ``canary``, None or ``{"alias", "percent"}``, and ``shadow``, None or an alias; either may be absent.
        aliases: The number of the version that each alias names.
        versions: The aliased versions by their number.
    """

    id: str
    name: str
    settings: Document
    traffic: Document
    aliases: Mapping[str, int]
    versions: Mapping[int, ServedVersion]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is named, at one revision of the registry. Nothing in it changes.

    Attributes:
        models: By name.
    """

    revision: int = -1
    models: Mapping[str, ModelEntry] = field(default_factory=dict)

    def find(self, model: str, reference: str | None = None) -> Resolution | None:
        """The version that an alias or a number (None: the champion) names, if an alias names it; else None."""
        entry = self.models.get(model)
        if entry is None:
            return None
        wanted = CHAMPION if reference is None else reference
        number = entry.aliases.get(wanted)
        if number is not None:
            return resolution_of(model, entry.versions[number], wanted)
        direct = number_in(wanted)
        version = None if direct is None else entry.versions.get(direct)
        return None if version is None else resolution_of(model, version, DIRECT)

    def champions(self) -> list[Resolution]:
        """The champion of every model."""
        return [found for name in self.models if (found := self.find(name)) is not None]

    def named(self) -> list[Resolution]:
        """Every version that an alias names, once; the champions first, since most requests are theirs."""
        champions = self.champions()
        taken = {(champion.model, champion.number) for champion in champions}
        others = [
            resolution_of(entry.name, entry.versions[number], alias)
            for entry in self.models.values()
            for number, alias in {number: alias for alias, number in entry.aliases.items()}.items()
            if (entry.name, number) not in taken
        ]
        return champions + others


def resolution_of(model: str, version: ServedVersion, role: str) -> Resolution:
    """The resolution to this version."""
    return Resolution(
        model, version.number, version.digest, version.signature, version.runtime, version.environment, role
    )


def read_snapshot(connection: sa.Connection, known: Snapshot) -> Snapshot:
    """The registry as it is now.

    Args:
        known: An earlier snapshot; its versions, which never change, are not read again.
    """
    # The revision goes first: if somebody writes meanwhile, what we hold is newer than it says, and is read again.
    revision = store.read_revision(connection)
    models = store.list_named_models(connection)
    named = store.list_named_versions(connection)
    versions = {version.id: version for entry in known.models.values() for version in entry.versions.values()}
    missing = {item.version_id for item in named} - versions.keys()
    versions.update((version.id, version) for version in store.list_served_versions(connection, sorted(missing)))
    aliases: dict[str, dict[str, int]] = {model.id: {} for model in models}
    served: dict[str, dict[int, ServedVersion]] = {model.id: {} for model in models}
    for item in named:
        version = versions.get(item.version_id)
        if version is not None and item.model_id in aliases:
            aliases[item.model_id][item.alias] = version.number
            served[item.model_id][version.number] = version
    entries = [
        ModelEntry(model.id, model.name, model.settings, model.traffic, aliases[model.id], served[model.id])
        for model in models
    ]
    return Snapshot(revision, {entry.name: entry for entry in entries})
