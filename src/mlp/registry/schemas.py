"""Models and versions as HTTP shows and takes them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described

from mlp.config import RecordMode
from mlp.registry import values
from mlp.registry.values import MoveKind
from mlp.signature.fields import DType, ExtraColumns, Scalar, Task, Unknown
from mlp.storage.paging import Page

#: Ten years: beyond it somebody has mistaken the unit.
_HORIZON_SECONDS_MAX = 3650 * 86_400


class _Taken(BaseModel):
    """Bodies are read strictly: a member that nobody knows is a mistake of the caller's."""

    model_config = ConfigDict(extra="forbid")


class Canary(_Taken):
    """The share of the unversioned requests that another alias answers."""

    alias: str
    percent: float = Described(ge=0, le=100, allow_inf_nan=False)


class Traffic(_Taken):
    """How unversioned requests split: champion answers what the canary does not; the shadow answers unheard."""

    canary: Canary | None = None
    shadow: str | None = Described(None, description="the alias whose answers are recorded and not returned")


class ModelSettings(BaseModel):
    """How a model is recorded and judged."""

    label_horizon_seconds: float = Described(description="age at which the label of a prediction counts as complete")
    record: RecordMode


class SettingChanges(_Taken):
    """What shall change; null gives a setting back to the server."""

    label_horizon_seconds: float | None = Described(None, ge=0, le=_HORIZON_SECONDS_MAX, allow_inf_nan=False)
    record: RecordMode | None = None


class ModelPatch(_Taken):
    """The body that changes a model."""

    settings: SettingChanges


class AliasTarget(_Taken):
    """Which version an alias shall name, and why."""

    version: str = Described(description="a version's number, or another alias")
    reason: str = ""


class Reason(_Taken):
    """Why something is done."""

    reason: str = ""


class Model(BaseModel):
    """A name with its versions."""

    name: str
    created_at: datetime
    aliases: dict[str, str] = Described(description="the number of the version that each alias names")
    versions_count: int
    latest_version: str | None
    traffic: Traffic
    settings: ModelSettings


class ModelList(BaseModel):
    """Some models, in the order of their names."""

    models: list[Model]
    next: str | None = Described(description="the cursor of the next page")


class Field(BaseModel):
    """One named input or output."""

    name: str
    dtype: DType
    nullable: bool
    minimum: int | float | None
    maximum: int | float | None
    categories: list[str] | None
    unknown: Unknown = Described(description="whether a value outside the categories is refused or counted")
    shape: list[int] = Described(description="sizes behind the batch dimension; -1 may vary; empty for a column")


class Signature(BaseModel):
    """Everything that a version accepts and returns."""

    task: Task
    inputs: list[Field]
    outputs: list[Field]
    classes: list[Scalar] | None
    positive_class: Scalar | None
    extra_columns: ExtraColumns


class Version(BaseModel):
    """One immutable version of a model."""

    model: str
    version: str
    runtime: str
    task: Task
    digest: str = Described(description="SHA-256 of the zip file that was uploaded")
    size_bytes: int
    signature: Signature
    environment: dict[str, Any] = Described(description="Python and packages of the server that accepted it")
    trained_with: dict[str, Any]
    warnings: list[str]
    metrics: dict[str, Any]
    lineage: dict[str, Any]
    example: list[Any]
    created_at: datetime
    aliases: list[str]
    has_reference: bool = Described(description="drift can be measured against rows of its training")


class VersionList(BaseModel):
    """Some versions of a model, the newest first."""

    versions: list[Version]
    next: str | None = Described(description="the cursor of the next page")


class AliasMove(BaseModel):
    """One move of an alias; null stands for nowhere."""

    alias: str
    from_version: str | None
    to_version: str | None
    at: datetime
    reason: str
    kind: MoveKind


class History(BaseModel):
    """Some moves of a model's aliases, the newest first."""

    moves: list[AliasMove]
    next: str | None = Described(description="the cursor of the next page")


def model_shape(model: values.Model) -> Model:
    """The model as HTTP shows it."""
    return Model(
        name=model.name,
        created_at=model.created_at,
        aliases={alias: str(number) for alias, number in model.aliases.items()},
        versions_count=model.versions_count,
        latest_version=_text(model.latest_number),
        traffic=Traffic.model_validate(model.traffic),
        settings=ModelSettings.model_validate(model.settings),
    )


def version_shape(version: values.Version) -> Version:
    """The version as HTTP shows it."""
    return Version(
        model=version.model,
        version=str(version.number),
        runtime=version.runtime,
        task=version.signature.task,
        digest=version.digest,
        size_bytes=version.size_bytes,
        signature=Signature.model_validate(version.signature.to_json()),
        environment=dict(version.environment),
        trained_with=dict(version.trained_with),
        warnings=list(version.warnings),
        metrics=dict(version.metrics),
        lineage=dict(version.lineage),
        example=list(version.example),
        created_at=version.created_at,
        aliases=list(version.aliases),
        has_reference=version.has_reference,
    )


def move_shape(move: values.AliasMove) -> AliasMove:
    """The move as HTTP shows it."""
    return AliasMove(
        alias=move.alias,
        from_version=_text(move.from_number),
        to_version=_text(move.to_number),
        at=move.at,
        reason=move.reason,
        kind=move.kind,
    )


def model_list(page: Page[values.Model]) -> ModelList:
    """The page as HTTP shows it."""
    return ModelList(models=[model_shape(model) for model in page], next=page.next)


def version_list(page: Page[values.Version]) -> VersionList:
    """The page as HTTP shows it."""
    return VersionList(versions=[version_shape(version) for version in page], next=page.next)


def history(page: Page[values.AliasMove]) -> History:
    """The page as HTTP shows it."""
    return History(moves=[move_shape(move) for move in page], next=page.next)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
