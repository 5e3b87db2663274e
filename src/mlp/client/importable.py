"""Import statements for what a captured function uses from installed packages and the standard library."""

import os
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from mlp.client.origins import Origin, origin_of, root_of


def module_imports(module: ModuleType, name: str, paths: Iterable[tuple[str, ...]]) -> list[str]:
    """Statements that bind a module under a name, and load the submodules that are reached through it.

    Args:
        module: From an installed package or the standard library.
        name: What the code calls it.
        paths: Attribute paths used after the name, such as ``("preprocessing", "StandardScaler")``.
    """
    # The module behind os.path has another name on each platform.
    dotted = "os.path" if module is os.path else module.__name__
    statements = [f"import {dotted}" if name == dotted else f"import {dotted} as {name}"]
    for path in paths:
        submodule = _submodule(dotted, path)
        if submodule is not None:
            statements.append(f"import {submodule}")
    return statements


def _submodule(dotted: str, path: tuple[str, ...]) -> str | None:
    """The longest module that the path leads to; None where it names attributes of the first module only."""
    found = None
    for attribute in path:
        inner = sys.modules.get(f"{dotted}.{attribute}")
        if inner is None or getattr(sys.modules.get(dotted), attribute, None) is not inner:
            break
        dotted = found = f"{dotted}.{attribute}"
    return found


def from_import(value: Any, name: str) -> str | None:
    """A ``from … import …`` that binds the very same object under a name; None where no module offers it.

    Of several modules the most public is taken: without underscores, and above the one that made the object.
    """
    modules = list(_modules_near(value))
    maker = str(getattr(value, "__module__", None))
    own_name = getattr(value, "__name__", name)
    for attribute in dict.fromkeys((own_name, name)):
        offering = [module for module in modules if _attributes(module).get(attribute) is value]
        if offering:
            module = min(offering, key=lambda each: _remoteness(each, maker, attribute))
            return f"from {module} import {attribute}" + ("" if attribute == name else f" as {name}")
    return None


def _remoteness(module: str, maker: str, attribute: str) -> tuple[bool, bool, bool, int, str]:
    """What a module is sorted by: the smallest is the one that its authors mean to be imported from."""
    is_private = any(part.startswith("_") for part in module.split("."))
    is_above_maker = f"{maker}.".startswith(f"{module}.")
    is_declared = attribute in _attributes(module).get("__all__", ())
    return is_private, not is_above_maker, not is_declared, module.count("."), module


def _modules_near(value: Any) -> Iterator[str]:
    """Loaded modules of the package that made the value, or its type."""
    origin = getattr(value, "__module__", None) or type(value).__module__
    root = root_of(origin) if isinstance(origin, str) else ""
    if root in ("", "builtins") or origin_of(root) not in (Origin.STANDARD, Origin.INSTALLED):
        return
    # typing and collections.abc pass on what _collections_abc and others define.
    roots = {root, root.lstrip("_"), "typing", "collections"} if origin_of(root) is Origin.STANDARD else {root}
    yield from (module for module in list(sys.modules) if root_of(module) in roots)


def _attributes(module: str) -> dict[str, Any]:
    # vars, not getattr: asking a lazy module for an attribute could import another one.
    found = sys.modules.get(module)
    return {} if found is None else vars(found)
