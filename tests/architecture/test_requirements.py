"""The locked requirements: hashed, nested in each other, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.architecture.source_tree import ROOT, shown

FOLDER = ROOT / "requirements"
FILES = sorted(FOLDER.glob("*.txt"))
NAME = re.compile(r"[-_.]+")


def entries(name: str) -> list[str]:
    """The requirements of a file, each with its hashes on the same line."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pins(name: str) -> set[tuple[str, str]]:
    """Name and version of everything a file pins; a package may have one version for each Python."""
    required = [Requirement(entry.partition("--hash")[0]) for entry in entries(name)]
    return {(normal(each.name), str(each.specifier).removeprefix("==")) for each in required}


def normal(name: str) -> str:
    return NAME.sub("-", name).lower()


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def asked_for() -> dict[str, list[str]]:
    """What pyproject.toml asks for, by the file that must hold it."""
    tables = project()
    extras, groups = tables["project"]["optional-dependencies"], tables["dependency-groups"]
    base = tables["project"]["dependencies"]
    everything = [*base, *(each for extra in extras.values() for each in extra)]
    everything += [each for name, group in groups.items() if name != "uv" for each in group]
    demo = [*base, *extras["demo"], *extras["sklearn"], *groups["build"]]
    return {"base": base, "demo": demo, "dev": everything, "build": groups["build"], "uv": groups["uv"]}


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    loose = [entry for entry in entries(path.stem) if "==" not in entry or "--hash=sha256:" not in entry]

    assert not loose


@pytest.mark.parametrize(("smaller", "larger"), [("base", "demo"), ("demo", "dev"), ("build", "demo")])
def test_smaller_file_is_part_of_the_larger(smaller: str, larger: str) -> None:
    assert pins(smaller) <= pins(larger)


@pytest.mark.parametrize("name", ["base", "demo", "dev", "build", "uv"])
def test_file_satisfies_what_pyproject_asks_for(name: str) -> None:
    locked: dict[str, list[str]] = {}
    for package, version in pins(name):
        locked.setdefault(package, []).append(version)
    asked = [Requirement(text) for text in asked_for()[name]]

    unmet = [
        str(each)
        for each in asked
        if normal(each.name) != project()["project"]["name"]
        and not all(each.specifier.contains(version) for version in locked.get(normal(each.name), ["0"]))
    ]

    assert not unmet, "run `python dev.py lock`"
