"""Models, versions and moves of aliases as values, as the store returns them and the routes show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlp.signature import Signature

#: A JSON object.
Document = Mapping[str, Any]


class MoveKind(StrEnum):
    """Why an alias moved."""

    SET = "set"  #: named by hand, or by the upload of the version
    PROMOTE = "promote"  #: champion moved forward
    ROLLBACK = "rollback"  #: champion went back to where it was
    DELETE = "delete"  #: the alias is gone


@dataclass(frozen=True, slots=True)
class Model:
    """A name with its versions.

    Attributes:
        settings: ``label_horizon_seconds`` and ``record``; only what differs from the server's own settings as the
            store returns it, both as the service does.
        traffic: ``canary``, None or ``{"alias", "percent"}``, and ``shadow``, None or an alias; either may be absent.
        aliases: The number of the version that each alias names.
    """

    id: str
    name: str
    settings: Document
    traffic: Document
    created_at: datetime
    aliases: Mapping[str, int]
    versions_count: int
    latest_number: int | None


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that passed its acceptance run and has no number yet.

    Attributes:
        id: Made from its job, so that the same job adds it once.
        model: The model's name.
        environment: ``{"python": …, "packages": {…}}`` of the server that accepted it.
        trained_with: Package versions that the model was made with, by distribution name.
        warnings: What differs or was assumed, in sentences.
        reference: Histograms of its training rows, as monitoring made them; None where there are no such rows.
    """

    id: str
    model: str
    digest: str
    size_bytes: int
    runtime: str
    signature: Signature
    environment: Document
    trained_with: Document
    warnings: Sequence[str]
    metrics: Document
    lineage: Document
    example: Sequence[Any]
    reference: Document | None


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version; its members as in NewVersion."""

    id: str
    model: str
    number: int
    digest: str
    size_bytes: int
    runtime: str
    signature: Signature
    environment: Document
    trained_with: Document
    warnings: Sequence[str]
    metrics: Document
    lineage: Document
    example: Sequence[Any]
    has_reference: bool
    created_at: datetime
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One move of an alias; None stands for nowhere. ``id`` orders the moves."""

    id: str
    alias: str
    kind: MoveKind
    from_number: int | None
    to_number: int | None
    reason: str
    at: datetime
