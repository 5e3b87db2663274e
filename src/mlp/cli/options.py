"""The options that every command knows wherever they stand on the line: --folder, --url, --json, --debug.

A command is a function whose first parameter is the Session, the others as Typer reads them; here it is made
one of an application's, with the shared options beside its own.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from mlp.cli.session import Session, SharedOptions

CommandFunction = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Noun:
    """A group of commands, such as ``mlp models``: what its help says, and the commands by their verbs."""

    about: str
    commands: Mapping[str, CommandFunction]


def add_root(app: typer.Typer, function: CommandFunction) -> None:
    """Makes a function that runs before every command, and whose options stand before it."""
    app.callback()(_taking_shared(function, is_hidden=False))


def add_command(app: typer.Typer, name: str, function: CommandFunction) -> None:
    """Makes a function a command."""
    app.command(name)(_taking_shared(function, is_hidden=False))


def add_noun(app: typer.Typer, name: str, noun: Noun) -> None:
    """Makes a group of commands; the shared options may stand between its name and the verb, too."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.callback(help=noun.about)(_taking_shared(_nothing_of_its_own, is_hidden=True))
    for verb, function in noun.commands.items():
        add_command(group, verb, function)
    app.add_typer(group, name=name)


def _nothing_of_its_own(_session: Session) -> None:
    return


def _taking_shared(function: CommandFunction, *, is_hidden: bool) -> CommandFunction:
    """The function as Typer shall see it: without the session, with a context and the shared options."""

    @wraps(function)
    def run(*, context: typer.Context, **arguments: Any) -> None:
        shared = context.ensure_object(SharedOptions)
        shared.take(arguments)
        function(Session(shared), **arguments)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (context, *own, *_shared(is_hidden))]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect.signature
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _shared(is_hidden: bool) -> list[inspect.Parameter]:
    options: dict[str, tuple[Any, Any, str | None, str]] = {
        "folder": (Path | None, None, "PATH", "The data folder.  [MLP_FOLDER, else mlp-data]"),
        "url": (str | None, None, "URL", "The server to talk to.  [MLP_URL, else that of the folder]"),
        "json": (bool, False, None, "Print the result as JSON and nothing else."),
        "debug": (bool, False, None, "Show the traceback of an error."),
    }
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[
                kind, typer.Option(f"--{name}", metavar=metavar, help=about, hidden=is_hidden, show_default=False)
            ],
        )
        for name, (kind, default, metavar, about) in options.items()
    ]
