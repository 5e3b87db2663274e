"""The repository names no package registry and no folder of the machine it was written on."""

import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, project_files, shown

# Put together here, so that this file does not contain what it looks for.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("anaconda", "org"),
    )
]
FOLDERS = ["/".join(("", *parts, "")) for parts in (("work",), ("root",), ("opt", "pypi"), ("opt", "wheels"))]
FORBIDDEN = re.compile("|".join([*map(re.escape, HOSTS), *(rf"(?<![\w.}}$*-]){folder}" for folder in FOLDERS)]))
INDEX_OPTIONS = re.compile(r"^\s*(-i|-f|--\w*index-url|--extra-index-url|--find-links|--trusted-host)\b", re.MULTILINE)
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))


def text_of(path: Path) -> str:
    """The file's text, empty for a picture or another binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_file_names_a_registry_or_a_folder_of_this_machine() -> None:
    found = [
        f"{shown(path)}:{number}: {line.strip()[:100]}"
        for path in project_files()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if FORBIDDEN.search(line)
    ]

    assert not found


def test_no_file_names_the_folder_of_this_checkout() -> None:
    found = [shown(path) for path in project_files() if f"{ROOT}/" in text_of(path)]

    assert not found


@pytest.mark.parametrize("path", REQUIREMENTS, ids=shown)
def test_requirements_name_no_index_and_no_path(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert not INDEX_OPTIONS.search(text)
    assert "://" not in text
    assert not re.search(r"^\s*(-e|--editable|[./])", text, re.MULTILINE)
