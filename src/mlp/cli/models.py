"""``mlp models``: registers versions, shows them, moves aliases and traffic, removes."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlp.cli.arguments import ModelArgument
from mlp.cli.confirmation import is_confirmed
from mlp.cli.session import Session
from mlp.errors import BadInput

if TYPE_CHECKING:
    from mlp.client.results import Model, Version


class CallLanguage(StrEnum):
    """Languages in which a call is printed."""

    CURL = "curl"
    NODE = "node"
    PYTHON = "python"


def new(
    session: Session,
    name: ModelArgument,
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="Folder to make; else ./NAME.", show_default=False)
    ] = None,
) -> None:
    """Write a model folder with own code, to be filled in."""
    from mlp.registry.authoring import new_folder

    folder = Path(name) if path is None else path
    new_folder(folder, name)
    files = sorted(each.name for each in folder.iterdir())
    if session.output.is_json:
        session.output.json({"model": name, "folder": str(folder), "files": files})
        return
    for file_name in files:
        session.output.line(str(folder / file_name))
    session.output.note(f"It works as it is: mlp models add {shlex.quote(name)} {shlex.quote(str(folder))}")


def add(
    session: Session,
    name: ModelArgument,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="Model folder, or model.joblib, model.onnx, model.txt.", show_default=False
        ),
    ],
    example: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Some rows as the model is asked: CSV, JSON, JSON lines.", show_default=False
        ),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows of its training, for drift: CSV.", show_default=False)
    ] = None,
    alias: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="Alias for it, e.g. challenger.", show_default=False)
    ] = None,
    allow_mismatch: Annotated[
        bool, typer.Option("--allow-mismatch", help="Take it although it was made with other package versions.")
    ] = False,
    label_horizon: Annotated[
        str | None, typer.Option(metavar="AGE", help="Age at which labels are complete: 12h, 7d.", show_default=False)
    ] = None,
) -> None:
    """Register a version, and print the call that asks it.

    The first version of a model becomes its champion, which answers; a later one needs "mlp models promote".
    """
    from mlp.cli.uploads import WatchedTransport

    output = session.output
    sending, waiting = f"uploading {name}", f"the server tries {name} in a process of its own"
    with (
        output.progress(sending) as report_progress,
        session.client(
            lambda transport: WatchedTransport(transport, report_progress, sending=sending, waiting=waiting)
        ) as client,
    ):
        version = client.models.add(
            name,
            path,
            example=example,
            reference=reference,
            alias=alias,
            allow_mismatch=allow_mismatch,
            label_horizon=label_horizon,
        )
    if output.is_json:
        output.json(version)
        return
    _print_added(session, version)


def _print_added(session: Session, version: "Version") -> None:
    from mlp.cli.model_tables import print_signature
    from mlp.cli.output import listed

    output = session.output
    aliases = f" ({listed(version.aliases)})" if version.aliases else ""
    output.line(f"{version.model} version {version.version}{aliases}, {version.runtime}")
    output.line()
    print_signature(output, version.signature)
    for warning in version.warnings:
        # The server marks what is no reason for concern; it is recorded with the version like the others.
        output.note(warning) if warning.startswith("Note: ") else output.warn(warning)
    output.line()
    if "champion" not in version.aliases:
        call = f"mlp models promote {shlex.quote(version.model)} {version.version}"
        output.note(f"The champion goes on answering all who name no version, until: {call}")
    if version.example:
        _note_absent_server(session)
        output.line(_call(session, CallLanguage.CURL, version))


def _note_absent_server(session: Session) -> None:
    """Says what comes before the call that is printed next, where no server would answer it."""
    if not session.has_server:
        folder = session.shared.folder
        of_folder = "" if folder is None else f" --folder {shlex.quote(str(folder))}"
        session.output.note(f"Start the server first: mlp serve{of_folder}")


def _call(session: Session, language: CallLanguage, version: "Version") -> str:
    from mlp.registry.calls import render_call

    if not version.example:
        raise BadInput(f"version {version.version} of {version.model} has no example: add it again with --example FILE")
    has_key = session.settings.api_key is not None
    # A call without version asks whichever version the traffic names, also tomorrow.
    named = None if "champion" in version.aliases else version.version
    return render_call(
        language.value, session.address, version.model, version.example[:1], version=named, has_key=has_key
    )


def list_models(session: Session) -> None:
    """List the models."""
    with session.client() as client:
        models = client.models.list()
    if session.output.is_json:
        session.output.json({"models": models})
        return
    if not models:
        session.output.note("There are no models yet: mlp models add NAME PATH")
        return
    from mlp.cli.model_tables import print_models

    print_models(session.output, models)


def show(
    session: Session,
    name: ModelArgument,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Number or alias: all about it.", show_default=False)
    ] = None,
    call: Annotated[
        CallLanguage | None, typer.Option(help="Print a call that works when pasted.", show_default=False)
    ] = None,
) -> None:
    """Show a model, one version, or a call that asks it."""
    output = session.output
    with session.client() as client:
        if call is not None:
            found = client.models.version(name, "champion" if version is None else version)
            text = _call(session, call, found)
            output.json({"language": call.value, "call": text}) if output.is_json else output.line(text)
        elif version is not None:
            _show_version(session, client.models.version(name, version))
        else:
            _show_model(session, client.models.show(name), client.models.versions(name))


def _show_version(session: Session, version: "Version") -> None:
    if session.output.is_json:
        session.output.json(version)
        return
    from mlp.cli.model_tables import print_version

    print_version(session.output, version)


def _show_model(session: Session, model: "Model", versions: Sequence["Version"]) -> None:
    if session.output.is_json:
        session.output.json({**asdict(model), "versions": versions})
        return
    from mlp.cli.model_tables import print_model

    print_model(session.output, model, versions)


def signature(
    session: Session,
    name: ModelArgument,
    version: Annotated[str, typer.Option(metavar="VERSION", help="Number or alias.")] = "champion",
) -> None:
    """Show what a version accepts and returns."""
    with session.client() as client:
        found = client.models.signature(name, version)
    if session.output.is_json:
        session.output.json(found)
        return
    from mlp.cli.model_tables import print_signature

    print_signature(session.output, found)


def remove(
    session: Session,
    name: ModelArgument,
    version: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Only this version, by number.", show_default=False)
    ] = None,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a model or one version; asks first.

    Without --version all versions of the model go with it.
    """
    what = f"{name} with all its versions" if version is None else f"version {version} of {name}"
    with session.client() as client:
        client.models.show(name)  # an unknown name is said before the question
        if not is_sure and not is_confirmed(f"Remove {what} for good?"):
            raise typer.Exit(1)
        client.models.remove(name, version)
    if session.output.is_json:
        session.output.json({"model": name, "version": version, "removed": True})
    else:
        session.output.line(f"removed {what}")
