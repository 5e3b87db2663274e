"""Writes into the reference pages what the code says of itself: settings, errors, metrics, commands, routes.

A page is written by hand but for what stands between two marks, which this script fills:
``python docs/generate.py`` writes, ``python docs/generate.py --check`` says which pages are out of date.
"""

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REFERENCE = Path(__file__).resolve().parent / "source" / "reference"
BEGIN = ".. begin: written by docs/generate.py\n"
END = ".. end: written by docs/generate.py\n"
HELP_COLUMNS = 80


def settings() -> str:
    """One table for each group of settings: variable, default, what it says."""
    from mlp.config import Settings

    parts = []
    for title, names in setting_groups():
        rows = [(variables_of(name), default_of(name), Settings.model_fields[name].description or "") for name in names]
        parts.append(heading(title, "-") + table(("Variable", "Default", "Meaning"), rows, widths=(32, 18, 50)))
    return "\n".join(parts)


def setting_groups() -> Iterator[tuple[str, list[str]]]:
    """The comments of ``mlp.config`` that head its settings, each with the settings below it."""
    import inspect

    from mlp import config

    groups: list[tuple[str, list[str]]] = []
    for line in inspect.getsource(config.Settings).splitlines():
        comment, field = re.fullmatch(r"    # (.+)", line), re.match(r"    (\w+): ", line)
        if comment:
            groups.append((comment[1], []))
        elif field and field[1] in config.Settings.model_fields:
            groups[-1][1].append(field[1])
    yield from groups


def variables_of(name: str) -> str:
    """The variables that a setting is read from."""
    from pydantic import AliasChoices

    from mlp.config import Settings

    alias = Settings.model_fields[name].validation_alias
    variables = alias.choices if isinstance(alias, AliasChoices) else [f"MLP_{name.upper()}"]
    return " or ".join(f"``{variable}``" for variable in variables)


def default_of(name: str) -> str:
    """A default as a person writes it, with sizes in the unit that makes them short."""
    from mlp.config import Settings

    default = Settings.model_fields[name].default
    if default is None or default == "":
        return "not set"
    for unit, size_bytes in (("GiB", 2**30), ("MiB", 2**20)):
        if name.endswith(("_bytes", "_bytes_max")) and default >= size_bytes and default % size_bytes == 0:
            return f"``{default}`` ({default // size_bytes} {unit})"
    return f"``{default:g}``" if isinstance(default, float) else f"``{default}``"


def errors() -> str:
    """All errors in the order of their tree: code, status, title, class."""
    from mlp.errors import MLPError

    rows = [
        (f"``{error.code}``", str(error.status), error.title, f"``{error.__name__}``", kind)
        for error, kind in error_tree(MLPError, "")
    ]
    return table(("Code", "Status", "Title", "Class", "Is a"), rows, widths=(24, 8, 34, 22, 12))


def error_tree(error: type[Any], parent: str) -> Iterator[tuple[type[Any], str]]:
    """An error with all below it, each with the name of its parent."""
    yield error, f"``{parent}``" if parent else ""
    for child in error.__subclasses__():
        yield from error_tree(child, error.__name__)


def metrics() -> str:
    """All metrics by name: type, labels, help."""
    import mlp.api.app  # noqa: F401  # declares what every server has
    from mlp.observability.metrics import REGISTRY

    rows = []
    # prometheus_client shows the labels of a metric only once it has a value: they are kept in a private attribute.
    collectors: dict[int, Any] = {id(found): found for found in REGISTRY._names_to_collectors.values()}
    for collector in collectors.values():
        (family,) = collector.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"``{label}``" for label in collector._labelnames)
        rows.append((f"``{name}``", family.type, labels, family.documentation))
    return table(("Name", "Type", "Labels", "Meaning"), sorted(rows), widths=(38, 10, 18, 34))


def commands() -> str:
    """The help of every command, as it prints it."""
    from typer.main import get_command

    from mlp.cli.main import build

    return "\n".join(
        f".. _mlp-{'-'.join(words)}:\n\n{heading('mlp ' + ' '.join(words), '-')}{literal(help_of(words))}"
        for words in command_words(get_command(build()))
    )


def command_words(command: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, a noun before its verbs."""
    from typer import Context

    for name in command.list_commands(Context(command)):
        words = (*before, name)
        yield words
        if hasattr(command.commands[name], "commands"):
            yield from command_words(command.commands[name], words)


def help_of(words: Sequence[str]) -> str:
    """What a command prints for ``--help``, in 80 columns."""
    from mlp.cli.main import run

    os.environ["COLUMNS"] = str(HELP_COLUMNS)
    with redirect_stdout(io.StringIO()) as printed:
        run([*words, "--help"])
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def routes() -> str:
    """All routes of a server's own OpenAPI document by subject, then those of the Open Inference Protocol."""
    by_subject: dict[str, list[tuple[str, ...]]] = {}
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            row = (f"``{method.upper()} {path}``", meaning_of(operation), parameters_of(operation))
            by_subject.setdefault(operation["tags"][0], []).append(row)
    by_subject["open inference protocol"] += [(f"``GET {path}``", meaning, "") for path, meaning in protocol_routes()]
    return "\n".join(
        heading(subject.capitalize(), "-") + table(("Route", "Answers", "Query"), rows, widths=(44, 38, 18))
        for subject, rows in by_subject.items()
    )


def openapi_document() -> dict[str, Any]:
    """The document that a server without models serves at /openapi.json."""
    import json

    from mlp.api.in_process import InProcessTransport
    from mlp.config import Settings

    with TemporaryDirectory() as folder, closing(InProcessTransport.open(Settings(folder=Path(folder)))) as server:
        answer = server.send("GET", "/openapi.json", query={}, body=None, headers={}, timeout_seconds=60)
    document: dict[str, Any] = json.loads(answer.body)
    return document


def meaning_of(operation: dict[str, Any]) -> str:
    """What a route's own description says, on one line."""
    return " ".join((operation.get("description") or operation["summary"]).split())


def parameters_of(operation: dict[str, Any]) -> str:
    """The names of a route's query parameters."""
    return ", ".join(f"``{each['name']}``" for each in operation.get("parameters", ()) if each["in"] == "query")


def protocol_routes() -> Iterator[tuple[str, str]]:
    """Path and meaning of the protocol's plain routes, which are no part of the OpenAPI document."""
    from mlp.inference.protocol_routes import ROUTES

    for route in ROUTES:
        yield route.path, " ".join((route.endpoint.__doc__ or "").split())


def heading(title: str, underline: str) -> str:
    return f"{title}\n{underline * len(title)}\n\n"


def literal(text: str) -> str:
    indented = "".join(f"   {line}\n" if line else "\n" for line in text.splitlines())
    return f".. code-block:: text\n\n{indented}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, widths: Sequence[int]) -> str:
    """A table of one line a cell; the widths are shares."""
    shares = " ".join(map(str, widths))
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {shares}", ""]
    for row in [titles, *rows]:
        lines += [f"   {'* ' if index == 0 else '  '}- {cell}".rstrip() for index, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "errors": errors,
    "metrics": metrics,
    "cli": commands,
    "http": routes,
}


def filled(page: str, text: str) -> str:
    """The page with the text between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit("docs/generate.py: a page has lost its marks")
    return f"{before}{begin}\n{text}\n{end}{after}"


def main(arguments: Sequence[str]) -> int:
    """Writes the pages, or with ``--check`` names those that differ; the exit code."""
    stale = []
    for name, write in PAGES.items():
        path = REFERENCE / f"{name}.rst"
        page = path.read_text(encoding="utf-8")
        fresh = filled(page, write())
        if fresh != page:
            stale.append(path.relative_to(REFERENCE.parents[2]).as_posix())
            if "--check" not in arguments:
                path.write_text(fresh, encoding="utf-8", newline="\n")
    if not stale:
        return 0
    if "--check" in arguments:
        print(f"out of date: {', '.join(stale)}; run: python docs/generate.py")
        return 1
    print(f"written: {', '.join(stale)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
