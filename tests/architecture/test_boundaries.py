"""Who may import what, where the layers of import-linter (pyproject.toml) are too coarse to say it."""

import ast
from pathlib import Path

from tests.architecture.source_tree import (
    DOMAINS,
    PACKAGE,
    domain_of,
    imports_of,
    module_name,
    parsed,
    python_files,
    shown,
)

BANNED_NAMES = frozenset(
    ("common", "core", "data", "handler", "handlers", "helper", "helpers", "info", "manager", "obj", "util", "utils")
)
CLIENT_MAY_IMPORT = ("client", "clock", "config", "errors", "registry.authoring", "registry.folder", "signature")
SOURCES = python_files("src/mlp")


def imported_from_mlp(path: Path) -> list[str]:
    """``jobs.store.claim`` for ``from mlp.jobs.store import claim``."""
    return [name.removeprefix("mlp.") for name in imports_of(path) if name.startswith("mlp.")]


def is_inside(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def names_in(path: Path) -> set[str]:
    """Every name that a file reads, imports or takes as an attribute."""
    nodes = list(ast.walk(parsed(path)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return names | {name.rpartition(".")[2] for name in imports_of(path)}


def test_store_and_tables_stay_inside_their_domain() -> None:
    private = {f"{domain}.{part}": domain for domain in DOMAINS for part in ("store", "tables")}

    reaching = [
        f"{shown(path)} imports {name}: ask the service of {domain} instead"
        for path in SOURCES
        if domain_of(path) in DOMAINS
        for name in imported_from_mlp(path)
        for module, domain in private.items()
        if is_inside(name, module) and domain != domain_of(path)
    ]

    assert not reaching


def test_client_imports_nothing_of_the_server() -> None:
    allowed = (*CLIENT_MAY_IMPORT, "__version__")

    reaching = [
        f"{shown(path)} imports {name}"
        for path in SOURCES
        if domain_of(path) == "client"
        for name in imported_from_mlp(path)
        if not any(is_inside(name, module) for module in allowed)
    ]

    assert not reaching


def test_http_exception_is_raised_in_the_api_alone() -> None:
    raising = [shown(path) for path in SOURCES if domain_of(path) != "api" and "HTTPException" in names_in(path)]

    assert not raising, "raise an error of mlp.errors: the API gives it its status"


def test_modules_have_names_that_say_what_they_hold() -> None:
    banned = [module_name(path) for path in SOURCES if BANNED_NAMES.intersection(module_name(path).split("."))]

    assert not banned


def test_folders_are_never_deeper_than_one_below_the_package() -> None:
    migrations = PACKAGE / "storage" / "migrations"

    too_deep = [
        shown(path)
        for path in SOURCES
        if len(path.relative_to(PACKAGE).parts) > 2 and not path.is_relative_to(migrations)
    ]

    assert not too_deep
