"""Where a module comes from: the standard library, an installed package, or a file that only this machine has."""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable
from enum import StrEnum
from importlib.machinery import ModuleSpec
from pathlib import Path


class Origin(StrEnum):
    """Where a module comes from, which decides whether a server can have it."""

    STANDARD = "standard"  #: comes with Python
    INSTALLED = "installed"  #: belongs to an installed package
    LOCAL = "local"  #: a notebook, a script, or a module beside them: only here
    ABSENT = "absent"  #: cannot be imported here


_INSTALL_FOLDERS = frozenset({"site-packages", "dist-packages"})


def root_of(module: str) -> str:
    """The top-level package of a dotted module name."""
    return module.partition(".")[0]


def origin_of(module: str) -> Origin:
    """Where a module comes from, judged by its top-level package; nothing is imported."""
    root = root_of(module)
    if root == "__main__":
        return Origin.LOCAL
    if root == "mlp":
        return Origin.INSTALLED  # every server has it, also where this one runs from a checkout
    if root in sys.stdlib_module_names:
        return Origin.STANDARD
    spec = _spec_of(root)
    if spec is None:
        return Origin.LOCAL if root in sys.modules else Origin.ABSENT
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or [])
    is_installed = any(place is not None and _INSTALL_FOLDERS & set(Path(place).parts) for place in places)
    return Origin.INSTALLED if is_installed else Origin.LOCAL


def _spec_of(root: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(root)
    except (ImportError, ValueError):
        return None  # ValueError: a module made by hand, without a specification


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Installed versions by distribution name of the packages that these modules belong to, sorted by name.

    Modules of the standard library, local ones and ``mlp`` itself belong to none.
    """
    distributions = importlib.metadata.packages_distributions()
    names = {name for module in modules if root_of(module) != "mlp" for name in distributions.get(root_of(module), ())}
    return {name: importlib.metadata.version(name) for name in sorted(names, key=str.lower)}
