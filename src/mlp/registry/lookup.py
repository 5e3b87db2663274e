"""Finds models and versions by their names within a transaction, or says what there is instead."""

import sqlalchemy as sa

from mlp.errors import UnknownVersion
from mlp.registry import store
from mlp.registry.names import number_in, stored_name, unknown_model, unknown_version
from mlp.registry.snapshot import DIRECT, Resolution, resolution_of
from mlp.registry.values import Model, Version

# Numbers that a message about an unknown version shows, and one that says there are more.
_NUMBERS_IN_MESSAGE = 6


def get_model(connection: sa.Connection, name: str) -> Model:
    """The model of that name, in whatever Unicode form it is given.

    Raises:
        UnknownModel: There is none.
    """
    stored = stored_name(name)
    model = None if stored is None else store.find_model(connection, stored)
    if model is None:
        raise unknown_model(name, store.list_model_names(connection))
    return model


def get_version(connection: sa.Connection, model: Model, reference: str) -> Version:
    """The version that a number or an alias names.

    Raises:
        UnknownVersion: There is none.
    """
    version = store.find_version(connection, model.id, _number(connection, model, reference))
    if version is None:
        raise no_such_version(connection, model, reference)
    return version


def get_resolution(connection: sa.Connection, model: Model, reference: str) -> Resolution:
    """The version that a number or an alias names, as requests need it.

    Raises:
        UnknownVersion: There is none.
    """
    version = store.find_served_version(connection, model.id, _number(connection, model, reference))
    if version is None:
        raise no_such_version(connection, model, reference)
    return resolution_of(model.name, version, reference if reference in model.aliases else DIRECT)


def no_such_version(connection: sa.Connection, model: Model, reference: str) -> UnknownVersion:
    """The error for a version or an alias that the model does not have."""
    newest = store.list_version_numbers(connection, model.id, limit=_NUMBERS_IN_MESSAGE)
    return unknown_version(model.name, reference, model.aliases, newest)


def _number(connection: sa.Connection, model: Model, reference: str) -> int:
    number = model.aliases.get(reference, number_in(reference))
    if number is None:
        raise no_such_version(connection, model, reference)
    return number
