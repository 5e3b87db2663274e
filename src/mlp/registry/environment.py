"""Compares the versions that a model was made with, or accepted with, with those that run here; names the remedy.

A pickle is bound to the Python and the framework that wrote it (scikit-learn 1.9 user guide, "Model persistence":
loading across versions is unsupported), so there a difference refuses the version; elsewhere it is only named.
"""

import platform
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from mlp.errors import EnvironmentMismatch

PYTHON = "Python"
#: Distributions whose objects a pickle of a model consists of; others only carry them, and keep their format.
FRAMEWORKS = frozenset({"scikit-learn", "lightgbm", "xgboost", "catboost", "imbalanced-learn"})
#: Distributions on which answers depend without being a model's own: arrays, frames, threads, runtimes.
_CARRIERS = frozenset({"numpy", "pandas", "scipy", "joblib", "threadpoolctl", "onnxruntime"})
_PICKLES = frozenset({".joblib", ".pkl", ".pickle"})


@dataclass(frozen=True, slots=True)
class Environment:
    """Versions of Python and of packages, by distribution name; ``python`` None where it is not known."""

    python: str | None
    packages: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The environment as it is stored with a version."""
        return {"python": self.python, "packages": dict(self.packages)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Environment":
        """The environment of a stored document."""
        return cls(document.get("python"), dict(document.get("packages", {})))


@dataclass(frozen=True, slots=True)
class Difference:
    """One version that is not the recorded one.

    Attributes:
        name: ``Python``, or a distribution.
        running: None where the distribution is not installed.
        done: What was done with the recorded version: ``trained`` or ``accepted``.
    """

    name: str
    recorded: str
    running: str | None
    done: str = "trained"

    @property
    def is_in_feature_release(self) -> bool:
        """Whether the first two numbers differ, or the package is absent."""
        return self.running is None or _feature_release(self.recorded) != _feature_release(self.running)

    @property
    def message(self) -> str:
        """What differs and what to do, in one line."""
        if self.name == PYTHON:
            remedy = f"serve it with Python {'.'.join(_feature_release(self.recorded))} or retrain"
        elif self.running is None:
            return f"{self.done} with {self.name} {self.recorded}, this server has none: install it, or retrain without"
        else:
            remedy = "pin it in requirements.txt or retrain"
        return f"{self.done} with {self.name} {self.recorded}, this server has {self.running}: {remedy}"


def _feature_release(text: str) -> tuple[str, ...]:
    return tuple(text.split("+")[0].split(".")[:2])


def canonical_name(name: str) -> str:
    """The name of a distribution in its one spelling (PyPA specification "Name normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_version(name: str) -> str | None:
    """The version of a distribution that is installed here; None where it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def running_environment(names: Iterable[str]) -> Environment:
    """This Python, and the versions of these distributions as far as they are installed."""
    found = {canonical_name(name): installed_version(name) for name in names}
    return Environment(platform.python_version(), {name: text for name, text in found.items() if text is not None})


def used_environment(modules_before: Collection[str], named: Collection[str]) -> Environment:
    """This Python, and the distributions that a model depends on, with numpy; slow (0.1 s).

    Those are the frameworks and carriers of values imported since, and what the model itself names. Others that came
    with them are left out: joblib, for one, imports psutil if it is there, and no model depends on that.

    Args:
        named: Top-level modules that a pickle or own code names; they count whenever they were imported.
    """
    distributions = packages_distributions()
    since = {name.partition(".")[0] for name in sys.modules if name not in modules_before}
    imported = {canonical_name(name) for root in since for name in distributions.get(root, ())}
    asked_for = {canonical_name(name) for root in named if root in sys.modules for name in distributions.get(root, ())}
    names = (imported & (FRAMEWORKS | _CARRIERS)) | asked_for | {"numpy"}
    return running_environment(sorted(names - {"mlp-stack"}))


def compare(trained_with: Environment, running: Environment, *, done: str = "trained") -> list[Difference]:
    """What differs: Python where its feature release does, packages where anything of the version does."""
    found = []
    if trained_with.python is not None and running.python is not None:
        difference = Difference(PYTHON, trained_with.python, running.python, done)
        found += [difference] if difference.is_in_feature_release else []
    for name, recorded in trained_with.packages.items():
        present = running.packages.get(canonical_name(name))
        if present != recorded:
            found.append(Difference(name, recorded, present, done))
    return found


def check_versions(
    recorded: Environment, *, has_pickle: bool, allow_mismatch: bool = False, done: str = "trained"
) -> list[str]:
    """What differs from the versions running here, as sentences; empty where nothing does.

    Args:
        recorded: Of the training, or of the acceptance run: then ``done`` is ``accepted``.
        has_pickle: The version holds a pickle.
        allow_mismatch: Name what would refuse it, too, instead of refusing.

    Raises:
        EnvironmentMismatch: A pickle of another feature release of Python or of its framework.
    """
    differences = compare(recorded, running_environment(recorded.packages), done=done)
    refusing = [item for item in differences if has_pickle and _binds_a_pickle(item)]
    if refusing and not allow_mismatch:
        raise EnvironmentMismatch("; ".join(item.message for item in refusing) + _way_out(refusing))
    return [item.message for item in differences]


def _way_out(refusing: Iterable[Difference]) -> str:
    """What a pin needs besides being written, for no server installs packages; empty where only Python differs."""
    pins = [f"{item.name} {item.recorded}" for item in refusing if item.name != PYTHON]
    if not pins:
        return ""
    # Only a version that is being registered can be taken nevertheless.
    nevertheless = ", or --allow-mismatch" if all(item.done == "trained" for item in refusing) else ""
    return f" (this server installs nothing: use an environment with {', '.join(pins)}{nevertheless})"


def check_at_load(folder: Path, accepted: Mapping[str, Any], *, allow_mismatch: bool = False) -> list[str]:
    """What differs from the environment in which a stored version was accepted; empty where nothing does.

    Called by whoever serves the version, before it loads: the server may have been upgraded since.

    Args:
        folder: The version's unpacked folder.
        accepted: The version's ``environment``, as stored.

    Raises:
        EnvironmentMismatch: The version holds a pickle of another feature release of Python or of its framework.
    """
    recorded = Environment.from_json(accepted)
    return check_versions(recorded, has_pickle=has_pickle(folder), allow_mismatch=allow_mismatch, done="accepted")


def has_pickle(folder: Path) -> bool:
    """Whether the folder holds a pickle, which binds the version to the Python and packages that wrote it."""
    return bool(pickles(folder))


def pickles(folder: Path) -> list[Path]:
    """The pickles in a folder, by name; so far as their names tell."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _PICKLES)


def _binds_a_pickle(difference: Difference) -> bool:
    is_framework = difference.name == PYTHON or canonical_name(difference.name) in FRAMEWORKS
    return is_framework and difference.is_in_feature_release


def check_requirements(lines: Iterable[tuple[int, str]], *, allow_mismatch: bool = False) -> list[str]:
    """What the lines of requirements.txt ask for and this server lacks, or what of them cannot be compared.

    Args:
        lines: Number and text of each line.
        allow_mismatch: Name what is missing instead of refusing.

    Raises:
        EnvironmentMismatch: A package is absent, or has another version than a line allows; names all of them.
    """
    unmet, remarks = [], []
    for number, text in lines:
        place = f"requirements.txt line {number}"
        try:
            requirement = Requirement(re.sub(r"\s+--hash=\S+|\s*\\$", "", text))
        except InvalidRequirement:
            remarks.append(f"{place}: '{text}' is not compared; only lines such as name==1.2 are")
            continue
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        present = installed_version(requirement.name)
        if present is None:
            unmet.append(f'{place} asks for {text}, this server has none: pip install "{_bare(requirement)}"')
        elif not requirement.specifier.contains(present, prereleases=True):
            unmet.append(f"{place} asks for {text}, this server has {present}: install that, or change the line")
    if unmet and not allow_mismatch:
        raise EnvironmentMismatch("; ".join(unmet))
    return unmet + remarks


def _bare(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"
