"""The command ``mlp``: puts the nouns together, runs one command, and turns what went wrong into one sentence."""

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup

from mlp.cli import (
    alerts,
    aliases,
    batch,
    database,
    demo,
    deployment,
    doctor,
    feedback,
    init,
    jobs,
    models,
    predict,
    quality,
    queues,
    serve,
    worker,
    workers,
)
from mlp.cli.options import CommandFunction, Noun, add_command, add_noun, add_root
from mlp.cli.session import Session, SharedOptions
from mlp.errors import MLPError

_ABOUT = """\
Machine Learning in Production: a trained model becomes a service that answers, queues, records, watches itself and
can be rolled back.

Your own model in three commands: "mlp serve", "mlp models add churn model.joblib --example rows.csv", and the curl
that the second one prints.
"""

#: Every command, in the order in which someone who begins meets them.
COMMANDS: dict[str, CommandFunction | Noun] = {
    "serve": serve.serve,
    "init": init.init,
    "worker": worker.worker,
    "models": Noun(
        "Register models, show, promote, roll back.",
        {
            "new": models.new,
            "add": models.add,
            "list": models.list_models,
            "show": models.show,
            "signature": models.signature,
            "alias": aliases.alias,
            "promote": aliases.promote,
            "rollback": aliases.rollback,
            "traffic": aliases.traffic,
            "history": aliases.history,
            "remove": models.remove,
        },
    ),
    "predict": predict.predict,
    "jobs": Noun(
        "Queued work: submit, list, show, cancel, retry.",
        {
            "submit": jobs.submit,
            "list": jobs.list_jobs,
            "show": jobs.show,
            "cancel": jobs.cancel,
            "retry": jobs.retry,
        },
    ),
    "batch": Noun(
        "Predict whole files: run, list, show, result, cancel.",
        {
            "run": batch.run,
            "list": batch.list_batches,
            "show": batch.show,
            "result": batch.result,
            "cancel": batch.cancel,
        },
    ),
    "feedback": feedback.feedback,
    "quality": quality.quality,
    "drift": quality.drift,
    "demo": Noun("The product shown on real data.", {"flights": demo.flights}),
    "workers": Noun(
        "Who runs the jobs of the stack: list, drain.", {"list": workers.list_workers, "drain": workers.drain}
    ),
    "queues": Noun(
        "What waits where: list, pause, resume.",
        {"list": queues.list_queues, "pause": queues.pause, "resume": queues.resume},
    ),
    "doctor": doctor.doctor,
    "alerts": Noun("Whether alerts arrive.", {"test": alerts.test}),
    "deployment": Noun(
        "Steps that the Compose stack takes before its services start.",
        {"prepare": deployment.prepare, "migrate": deployment.migrate},
    ),
    "db": Noun("The database's schema: upgrade or check it.", {"upgrade": database.upgrade, "check": database.check}),
}

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


class _InOrder(TyperGroup):
    """Lists commands as they stand above; Typer would put those that hold others behind the rest."""

    def list_commands(self, context: typer.Context) -> list[str]:  # type: ignore[override]  # the base's is private
        return sorted(super().list_commands(context), key=list(COMMANDS).index)


def build() -> typer.Typer:
    """The command line with all its commands."""
    # Typer's own help is drawn by Rich, whose import takes longer than all the rest of `mlp --help`.
    app = typer.Typer(
        name="mlp",
        cls=_InOrder,
        help=_ABOUT,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    add_root(app, _before_every_command)
    for name, each in COMMANDS.items():
        if isinstance(each, Noun):
            add_noun(app, name, each)
        else:
            add_command(app, name, each)
    return app


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from mlp import __version__

        sys.stdout.write(f"mlp {__version__}\n")
        raise typer.Exit


def _before_every_command(
    _session: Session,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    return


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; the exit code: 0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    shared = SharedOptions()
    _prepare_streams()
    try:
        exit_code = _run(list(arguments), shared)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return EXIT_FAILED
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except typer.TyperException as error:
        _show_usage_error(error)
        return error.exit_code
    except MLPError as error:
        return _fail(shared, error, error.message)
    except Exception as error:
        advice = "this is a fault of mlp; add --debug to see where it happened"
        return _fail(shared, error, f"{type(error).__name__}: {error}: {advice}")
    return exit_code


def _prepare_streams() -> None:
    """Files and pipes get UTF-8 on every system; a terminal shows ? for what it has no letter for."""
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8")


def _run(arguments: list[str], shared: SharedOptions) -> int:
    command_line = typer.main.get_command(build())
    result = command_line.main(arguments, prog_name="mlp", standalone_mode=False, obj=shared)
    return result if isinstance(result, int) else 0


def _fail(shared: SharedOptions, error: Exception, message: str) -> int:
    if shared.debug:
        import traceback

        traceback.print_exception(error)
    else:
        sys.stderr.write(f"Error: {message}\n")
    return EXIT_FAILED


def _show_usage_error(error: typer.TyperException) -> None:
    show = getattr(error, "show", None)  # errors that have a usage line to print bring their own way of showing it
    if show is not None:
        show()
    else:
        sys.stderr.write(f"Error: {error.format_message()}\n")


def _forget_output() -> None:
    """Whoever read standard output is gone (`mlp models list | head -1`); nothing more is written to it."""
    # The interpreter flushes standard output once more when it ends; that must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
