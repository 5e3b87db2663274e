"""The routes of models, versions, aliases and traffic."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse

from mlp.errors import MalformedBody
from mlp.jobs.schemas import Job, job_answer
from mlp.registry import schemas
from mlp.registry.service import RegistryService
from mlp.storage.paging import LIMIT_DEFAULT

router = APIRouter(tags=["models"])

_TAKES_ZIP = {
    "requestBody": {
        "required": True,
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_SHOWS_NEW_JOB: dict[int | str, dict[str, Any]] = {202: {"model": Job}}


def registry_service(request: Request) -> RegistryService:
    """The registry of the stack that this application serves."""
    return cast(RegistryService, request.app.state.stack.registry)


Registry = Annotated[RegistryService, Depends(registry_service)]


@router.get("/v1/models", summary="List models")
def list_models(registry: Registry, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> schemas.ModelList:
    """A page of models, in the order of their names."""
    return schemas.model_list(registry.list_models(limit=limit, cursor=cursor))


@router.get("/v1/models/{model}", summary="Show a model")
def show_model(model: str, registry: Registry) -> schemas.Model:
    """The model with its aliases, traffic and settings."""
    return schemas.model_shape(registry.get_model(model))


@router.patch("/v1/models/{model}", summary="Change a model's settings")
def change_model(model: str, body: schemas.ModelPatch, registry: Registry) -> schemas.Model:
    """The model; settings that the body does not name stay as they are."""
    return schemas.model_shape(registry.change_settings(model, body.settings.model_dump(exclude_unset=True)))


@router.delete("/v1/models/{model}", status_code=204, summary="Delete a model")
def delete_model(model: str, registry: Registry) -> None:
    """Nothing: the model is gone with all versions; what it predicted stays on record."""
    registry.delete_model(model)


@router.get("/v1/models/{model}/versions", summary="List versions")
def list_versions(
    model: str, registry: Registry, limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> schemas.VersionList:
    """A page of versions, the newest first."""
    return schemas.version_list(registry.list_versions(model, limit=limit, cursor=cursor))


@router.post(
    "/v1/models/{model}/versions",
    status_code=202,
    responses=_SHOWS_NEW_JOB,
    openapi_extra=_TAKES_ZIP,
    summary="Add a version",
)
async def add_version(
    model: str, request: Request, registry: Registry, alias: str | None = None, allow_mismatch: bool = False
) -> Response:
    """The job that tries the model folder in the zip file and makes a version of it; its result is the version.

    The body is written to disk as it comes. The first version of a model becomes its champion.
    """
    name = registry.uploads.check(model, alias, _content_length(request))
    try:
        received = await registry.uploads.receive(request.stream())
    except ClientDisconnect as error:
        raise MalformedBody("the upload broke off: send it again") from error
    job = await run_in_threadpool(registry.uploads.submit, name, received, alias=alias, allow_mismatch=allow_mismatch)
    return job_answer(job, status=202)


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


@router.get("/v1/models/{model}/versions/{version}", summary="Show a version")
def show_version(model: str, version: str, registry: Registry) -> schemas.Version:
    """The version that a number or an alias names."""
    return schemas.version_shape(registry.get_version(model, version))


@router.delete("/v1/models/{model}/versions/{version}", status_code=204, summary="Delete a version")
def delete_version(model: str, version: str, registry: Registry) -> None:
    """Nothing: the version is gone. Refused while an alias names it."""
    registry.delete_version(model, version)


@router.put("/v1/models/{model}/aliases/{alias}", summary="Let an alias name a version")
def set_alias(model: str, alias: str, body: schemas.AliasTarget, registry: Registry) -> schemas.Model:
    """The model, after the alias moved."""
    return schemas.model_shape(registry.set_alias(model, alias, body.version, body.reason))


@router.delete("/v1/models/{model}/aliases/{alias}", summary="Delete an alias")
def delete_alias(model: str, alias: str, registry: Registry) -> schemas.Model:
    """The model without the alias; champion cannot be deleted."""
    return schemas.model_shape(registry.delete_alias(model, alias))


@router.post("/v1/models/{model}/promote", summary="Make a version the champion")
def promote(model: str, body: schemas.AliasTarget, registry: Registry) -> schemas.Model:
    """The model, after the version was loaded and champion moved to it."""
    return schemas.model_shape(registry.promote(model, body.version, body.reason))


@router.post("/v1/models/{model}/rollback", summary="Let champion go back")
def rollback(model: str, registry: Registry, body: schemas.Reason | None = None) -> schemas.Model:
    """The model, after champion went to where it was before its last move; the next rollback goes one further back."""
    return schemas.model_shape(registry.rollback(model, "" if body is None else body.reason))


@router.get("/v1/models/{model}/history", summary="List the moves of aliases")
def show_history(
    model: str, registry: Registry, limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> schemas.History:
    """A page of moves, the newest first."""
    return schemas.history(registry.list_moves(model, limit=limit, cursor=cursor))


@router.put("/v1/models/{model}/traffic", summary="Split a model's requests")
def set_traffic(model: str, body: schemas.Traffic, registry: Registry) -> schemas.Model:
    """The model, after the versions were loaded that shall answer."""
    canary = None if body.canary is None else body.canary.model_dump()
    return schemas.model_shape(registry.set_traffic(model, canary=canary, shadow=body.shadow))


@router.get("/v1/artefacts/{digest}", summary="Fetch an artefact", response_class=FileResponse)
def fetch_artefact(digest: str, registry: Registry) -> FileResponse:
    """The zip file of a version by its SHA-256, as it was uploaded; for workers on other machines."""
    return FileResponse(registry.artefacts.archive_of(digest), media_type="application/zip", filename=f"{digest}.zip")
