"""The job that makes a version of an upload: unpack, try it out, freeze its reference, write it down, name it.

Every step may be repeated: a worker that dies leaves nothing but an unpacked folder, and the version that a job adds
has an id made from the job's, so that it is added once.
"""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from mlp.config import Settings
from mlp.jobs.task import JobContext, task
from mlp.registry.acceptance import AcceptanceLimits, AcceptanceReport, run_acceptance
from mlp.registry.folder import ModelFolder, read_folder
from mlp.registry.schemas import version_shape
from mlp.registry.service import RegistryService
from mlp.registry.storable import check_storable, storable_text
from mlp.registry.uploads import ACCEPT, AcceptPayload
from mlp.registry.values import Document, NewVersion

_STEPS = ("unpacking", "trying it out", "freezing its reference", "writing it down")


@task(ACCEPT, payload_type=AcceptPayload)
def accept(context: JobContext, payload: AcceptPayload) -> dict[str, Any]:
    """The version as HTTP shows it.

    Raises:
        ArtefactCorrupt: The upload is damaged, or was removed as unused since.
        VersionRefused: It cannot be served; the message says why.
    """
    registry = cast(RegistryService, context.stack.registry)
    settings = cast(Settings, context.stack.settings)
    version_id = version_id_of(context.job_id)
    version = registry.find_added(version_id)
    if version is None:
        _begin(context, 0)
        path = registry.artefacts.open_folder(payload.digest)
        _begin(context, 1)
        report = _try_out(path, settings, allow_mismatch=payload.allow_mismatch)
        _begin(context, 2)
        folder = read_folder(path)
        reference = registry.build_reference(folder, report.signature)
        _begin(context, 3)
        new = new_version_of(version_id, payload, folder, report, reference)
        version = registry.add_version(new, alias=payload.alias, settings=_settings_of(folder))
    if payload.alias is not None and payload.alias not in version.aliases:
        # The alias names another version now, which goes on answering until this one is loaded.
        registry.set_alias(version.model, payload.alias, str(version.number), "named when it was added")
        version = registry.get_version(version.model, str(version.number))
    elif version.aliases:
        registry.load_quietly(version)
    return version_shape(version).model_dump(mode="json")


def version_id_of(job_id: str) -> str:
    """The id of the version that a job adds, the same in every attempt."""
    return str(uuid.uuid5(uuid.UUID(job_id), "version"))


def _begin(context: JobContext, step: int) -> None:
    context.check_cancelled()
    context.progress(step, len(_STEPS), _STEPS[step])


def _try_out(path: Path, settings: Settings, *, allow_mismatch: bool) -> AcceptanceReport:
    limits = AcceptanceLimits(
        timeout_seconds=settings.acceptance_seconds, memory_bytes=settings.acceptance_memory_bytes
    )
    return run_acceptance(path, limits, allow_mismatch=allow_mismatch, threads=max(1, settings.model_threads))


def new_version_of(
    version_id: str, payload: AcceptPayload, folder: ModelFolder, report: AcceptanceReport, reference: Document | None
) -> NewVersion:
    """What is written down of a version that passed its trial.

    Raises:
        BadModelFolder: Its author's metrics, names or rows cannot be kept by the database.
    """
    new = NewVersion(
        id=version_id,
        model=payload.model,
        digest=payload.digest,
        size_bytes=payload.size_bytes,
        runtime=report.runtime,
        signature=report.signature,
        environment=report.environment.to_json(),
        trained_with=dict(report.trained_with),
        warnings=[storable_text(warning) for warning in report.warnings],
        metrics=dict(folder.metrics),
        lineage=dict(folder.lineage),
        example=list(report.example),
        reference=reference,
    )
    check_storable(new.signature.to_json(), "signature")
    for place in ("metrics", "lineage", "example", "trained_with", "reference"):
        check_storable(getattr(new, place), place)
    return new


def _settings_of(folder: ModelFolder) -> Mapping[str, Any]:
    """What mlp.toml says about the model rather than about this version."""
    said = {"label_horizon_seconds": folder.label_horizon_seconds, "record": folder.record}
    return {name: value for name, value in said.items() if value is not None}
