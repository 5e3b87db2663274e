"""The SQL of the registry. Whoever writes calls bump_revision first: its row is also the lock that orders writers.

A model is there while it has versions. The row of a deleted one stays and goes on counting, since what its versions
predicted is still on record under their numbers, and other processes may hold them in memory.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from mlp.clock import new_id
from mlp.registry.tables import alias_moves, aliases, models, registry_revision, versions
from mlp.registry.values import AliasMove, Document, Model, MoveKind, NewVersion, Version
from mlp.signature import Signature

#: Parameters of one IN list: far below what SQLite (32,766) and PostgreSQL (65,535) take.
_IN_MAX = 500
_IS_THERE = sa.exists().where(versions.c.model_id == models.c.id)
_HAS_REFERENCE = versions.c.reference.is_not(None).label("has_reference")
_VERSION_COLUMNS = [column for column in versions.c if column is not versions.c.reference]
_VERSION = (
    sa.select(*_VERSION_COLUMNS, _HAS_REFERENCE, models.c.name.label("model"))
    .select_from(versions)
    .join(models, models.c.id == versions.c.model_id)
)


class NamedModel(NamedTuple):
    """What requests need to know of a model."""

    id: str
    name: str
    settings: Document
    traffic: Document


class NamedVersion(NamedTuple):
    """An alias and the version that it names."""

    model_id: str
    alias: str
    version_id: str
    number: int


class ServedVersion(NamedTuple):
    """What requests need to know of a version."""

    id: str
    number: int
    digest: str
    runtime: str
    signature: Signature
    environment: Document


def read_revision(connection: sa.Connection) -> int:
    """The number that grows with every change of the registry."""
    return int(connection.execute(sa.select(registry_revision.c.revision)).scalar_one())


def bump_revision(connection: sa.Connection) -> None:
    """Announce a change, and hold off every other writer of the registry until this transaction ends."""
    connection.execute(sa.update(registry_revision).values(revision=registry_revision.c.revision + 1))


def list_named_models(connection: sa.Connection) -> list[NamedModel]:
    """Every model, as requests need it."""
    query = sa.select(models.c.id, models.c.name, models.c.settings, models.c.traffic).where(_IS_THERE)
    return [NamedModel(*row) for row in connection.execute(query)]


def list_named_versions(connection: sa.Connection, model_ids: Collection[str] | None = None) -> list[NamedVersion]:
    """Every alias with the version it names; of these models, or of all."""
    query = sa.select(aliases.c.model_id, aliases.c.name, aliases.c.version_id, versions.c.number)
    query = query.join(versions, versions.c.id == aliases.c.version_id).order_by(aliases.c.name)
    if model_ids is not None:
        query = query.where(aliases.c.model_id.in_(model_ids))
    return [NamedVersion(*row) for row in connection.execute(query)]


_SERVED: sa.Select[Any] = sa.select(
    versions.c.id,
    versions.c.number,
    versions.c.digest,
    versions.c.runtime,
    versions.c.signature,
    versions.c.environment,
)


def list_served_versions(connection: sa.Connection, version_ids: Sequence[str]) -> list[ServedVersion]:
    """The versions of these ids, as requests need them; those that are gone are left out."""
    found: list[ServedVersion] = []
    for start in range(0, len(version_ids), _IN_MAX):
        query = _SERVED.where(versions.c.id.in_(version_ids[start : start + _IN_MAX]))
        found.extend(_served(row) for row in connection.execute(query))
    return found


def find_served_version(connection: sa.Connection, model_id: str, number: int) -> ServedVersion | None:
    """One version by its number, as requests need it."""
    query = _SERVED.where(versions.c.model_id == model_id, versions.c.number == number)
    row = connection.execute(query).one_or_none()
    return None if row is None else _served(row)


def _served(row: sa.Row[Any]) -> ServedVersion:
    signature = Signature.from_json(row.signature)
    return ServedVersion(row.id, row.number, row.digest, row.runtime, signature, row.environment)


def find_model(connection: sa.Connection, name: str) -> Model | None:
    """The model of that name."""
    found = _models(connection, sa.select(models).where(models.c.name == name, _IS_THERE))
    return found[0] if found else None


def list_models(connection: sa.Connection, after_name: str | None, limit: int) -> list[Model]:
    """Models in the order of their names, behind a name."""
    query = sa.select(models).where(_IS_THERE).order_by(models.c.name).limit(limit)
    return _models(connection, query if after_name is None else query.where(models.c.name > after_name))


def list_model_names(connection: sa.Connection) -> list[str]:
    """The names of all models."""
    return list(connection.execute(sa.select(models.c.name).where(_IS_THERE)).scalars())


def _models(connection: sa.Connection, query: sa.Select[Any]) -> list[Model]:
    rows = connection.execute(query).all()
    model_ids = [row.id for row in rows]
    named: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for item in list_named_versions(connection, model_ids):
        named[item.model_id][item.alias] = item.number
    counts = sa.select(versions.c.model_id, sa.func.count(), sa.func.max(versions.c.number))
    counts = counts.where(versions.c.model_id.in_(model_ids)).group_by(versions.c.model_id)
    counted = {model_id: (count, newest) for model_id, count, newest in connection.execute(counts)}
    return [
        Model(
            id=row.id,
            name=row.name,
            settings=row.settings,
            traffic=row.traffic,
            created_at=row.created_at,
            aliases=named[row.id],
            versions_count=counted.get(row.id, (0, None))[0],
            latest_number=counted.get(row.id, (0, None))[1],
        )
        for row in rows
    ]


def ensure_model(connection: sa.Connection, name: str, at: datetime) -> str:
    """The id of the model of that name, which is there once it has a version; new, or begun again, at that moment."""
    here = models.c.name == name
    connection.execute(sa.update(models).where(here, ~_IS_THERE).values(created_at=at))
    known = connection.execute(sa.select(models.c.id).where(here)).scalar()
    if known is not None:
        return str(known)
    model_id = new_id()
    connection.execute(
        sa.insert(models).values(id=model_id, name=name, settings={}, traffic={}, versions_made=0, created_at=at)
    )
    return model_id


def update_settings(connection: sa.Connection, model_id: str, settings: Document) -> None:
    """Replace what the model sets for itself."""
    connection.execute(sa.update(models).where(models.c.id == model_id).values(settings=dict(settings)))


def update_traffic(connection: sa.Connection, model_id: str, traffic: Document) -> None:
    """Replace how the model's requests split."""
    connection.execute(sa.update(models).where(models.c.id == model_id).values(traffic=dict(traffic)))


def delete_model(connection: sa.Connection, model_id: str) -> None:
    """Delete all versions of the model with aliases, moves, settings and traffic; the count of its versions stays."""
    for table in (aliases, alias_moves, versions):
        connection.execute(sa.delete(table).where(table.c.model_id == model_id))
    connection.execute(sa.update(models).where(models.c.id == model_id).values(settings={}, traffic={}))


def insert_version(connection: sa.Connection, model_id: str, new: NewVersion, at: datetime) -> int:
    """The number that the new version got: one more than any version under this name ever had."""
    made = sa.update(models).where(models.c.id == model_id).values(versions_made=models.c.versions_made + 1)
    number = int(connection.execute(made.returning(models.c.versions_made)).scalar_one())
    connection.execute(
        sa.insert(versions).values(
            id=new.id,
            model_id=model_id,
            number=number,
            digest=new.digest,
            size_bytes=new.size_bytes,
            runtime=new.runtime,
            signature=new.signature.to_json(),
            environment=dict(new.environment),
            trained_with=dict(new.trained_with),
            warnings=list(new.warnings),
            metrics=dict(new.metrics),
            lineage=dict(new.lineage),
            example=list(new.example),
            reference=new.reference,
            created_at=at,
        )
    )
    return number


def find_version(connection: sa.Connection, model_id: str, number: int) -> Version | None:
    """One version by its number."""
    found = _versions(connection, _VERSION.where(versions.c.model_id == model_id, versions.c.number == number))
    return found[0] if found else None


def find_version_by_id(connection: sa.Connection, version_id: str) -> Version | None:
    """One version by its id."""
    found = _versions(connection, _VERSION.where(versions.c.id == version_id))
    return found[0] if found else None


def list_versions(connection: sa.Connection, model_id: str, below_number: int | None, limit: int) -> list[Version]:
    """Versions of a model, the newest first, below a number."""
    query = _VERSION.where(versions.c.model_id == model_id).order_by(versions.c.number.desc()).limit(limit)
    return _versions(connection, query if below_number is None else query.where(versions.c.number < below_number))


def list_version_numbers(connection: sa.Connection, model_id: str, limit: int | None = None) -> list[int]:
    """The numbers of a model's versions, the newest first."""
    query = sa.select(versions.c.number).where(versions.c.model_id == model_id).order_by(versions.c.number.desc())
    return list(connection.execute(query.limit(limit)).scalars())


def _versions(connection: sa.Connection, query: sa.Select[Any]) -> list[Version]:
    rows = connection.execute(query).all()
    naming = sa.select(aliases.c.version_id, aliases.c.name).order_by(aliases.c.name)
    naming = naming.where(aliases.c.model_id.in_({row.model_id for row in rows}))
    names: defaultdict[str, list[str]] = defaultdict(list)
    for version_id, name in connection.execute(naming):
        names[version_id].append(name)
    return [
        Version(
            id=row.id,
            model=row.model,
            number=row.number,
            digest=row.digest,
            size_bytes=row.size_bytes,
            runtime=row.runtime,
            signature=Signature.from_json(row.signature),
            environment=row.environment,
            trained_with=row.trained_with,
            warnings=row.warnings,
            metrics=row.metrics,
            lineage=row.lineage,
            example=row.example,
            has_reference=row.has_reference,
            created_at=row.created_at,
            aliases=tuple(names[row.id]),
        )
        for row in rows
    ]


def find_reference(connection: sa.Connection, model_id: str, number: int) -> Document | None:
    """The histograms of a version's training rows; None if there are none, or no such version."""
    query = sa.select(versions.c.reference).where(versions.c.model_id == model_id, versions.c.number == number)
    reference: Document | None = connection.execute(query).scalar()
    return reference


def list_digests(connection: sa.Connection) -> set[str]:
    """The digests of all artefacts that a version needs."""
    return set(connection.execute(sa.select(versions.c.digest).distinct()).scalars())


def delete_version(connection: sa.Connection, version_id: str) -> None:
    """Delete a version that no alias names."""
    connection.execute(sa.delete(versions).where(versions.c.id == version_id))


def set_alias(connection: sa.Connection, model_id: str, alias: str, version_id: str, at: datetime) -> None:
    """Let the alias name this version."""
    here = (aliases.c.model_id == model_id) & (aliases.c.name == alias)
    moved = connection.execute(sa.update(aliases).where(here).values(version_id=version_id, updated_at=at))
    if moved.rowcount == 0:
        values = {"model_id": model_id, "name": alias, "version_id": version_id, "updated_at": at}
        connection.execute(sa.insert(aliases).values(values))


def delete_alias(connection: sa.Connection, model_id: str, alias: str) -> None:
    """Let the alias name nothing."""
    connection.execute(sa.delete(aliases).where(aliases.c.model_id == model_id, aliases.c.name == alias))


def insert_move(connection: sa.Connection, model_id: str, move: AliasMove) -> None:
    """Write a move of an alias down."""
    connection.execute(
        sa.insert(alias_moves).values(
            id=move.id,
            model_id=model_id,
            alias=move.alias,
            kind=move.kind.value,
            from_version=move.from_number,
            to_version=move.to_number,
            reason=move.reason,
            at=move.at,
        )
    )


def list_moves(connection: sa.Connection, model_id: str, before_id: str | None, limit: int) -> list[AliasMove]:
    """Moves of all aliases of a model, the newest first, before an id."""
    query = sa.select(alias_moves).where(alias_moves.c.model_id == model_id).order_by(alias_moves.c.id.desc())
    query = query.limit(limit)
    return _moves(connection, query if before_id is None else query.where(alias_moves.c.id < before_id))


def list_moves_of(connection: sa.Connection, model_id: str, alias: str) -> list[AliasMove]:
    """All moves of one alias, the oldest first."""
    query = sa.select(alias_moves).where(alias_moves.c.model_id == model_id, alias_moves.c.alias == alias)
    return _moves(connection, query.order_by(alias_moves.c.id))


def _moves(connection: sa.Connection, query: sa.Select[Any]) -> list[AliasMove]:
    return [
        AliasMove(row.id, row.alias, MoveKind(row.kind), row.from_version, row.to_version, row.reason, row.at)
        for row in connection.execute(query)
    ]
