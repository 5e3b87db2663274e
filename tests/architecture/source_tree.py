"""The repository as the architecture tests read it: its files, its Python modules, and what they import."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mlp"
DOMAINS = ("batches", "feedback", "inference", "jobs", "monitoring", "registry", "training")


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is, or would be, in the repository: tracked by git, or new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    return tuple(path for name in sorted(names.split("\0")) if name and (path := ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    """The Python files of the repository, all or those in the folders named (relative to its root)."""
    wanted = [ROOT / folder for folder in folders] or [ROOT]
    return [
        path
        for path in project_files()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in wanted)
    ]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path: Path) -> str:
    """The path as a message names it, with slashes on every system."""
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    """``mlp.jobs.store`` for src/mlp/jobs/store.py."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def domain_of(path: Path) -> str:
    """The first folder below the package, or the file's own name if it lies in none."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path: Path) -> Iterator[str]:
    """Every name that a file imports: ``mlp.jobs.store`` for ``from mlp.jobs import store``; those in functions too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
