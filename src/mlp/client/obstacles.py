"""What stands in the way of capturing a function: each obstacle with its reason and remedy, told in one error."""

import functools
import inspect
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

from mlp.client.origins import Origin, origin_of
from mlp.errors import CannotCapture

FOLDER_FORM = 'use the folder form, where files lie beside the code: "mlp models new"'

#: Reason and remedy where there is no name to define the function under.
LAMBDA = ("a lambda", "write it as a def")
#: Reason and remedy for what a notebook adds to Python.
NOTEBOOK_ONLY = ("a magic (%), a shell command (!) or display, which are there in a notebook only", "take it out")


class SourceNotFound(Exception):
    """There is no source to take: why, and what to do. Never leaves this package."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that cannot be captured.

    Attributes:
        name: What the code calls it.
        used_by: The function or class that uses it; empty for what was handed over.
        reason: Completes "it is …" or stands alone.
        remedy: What to do.
    """

    name: str
    used_by: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        where = f" (used by {self.used_by})" if self.used_by else ""
        return f"{self.name}{where}: {self.reason}; {self.remedy}"


def refusal(subject: str, obstacles: Sequence[Obstacle]) -> CannotCapture:
    """The one error that names all obstacles; they also travel as its member ``obstacles``."""
    lines = "".join(f"\n  - {obstacle}" for obstacle in obstacles)
    return CannotCapture(f"{subject} cannot be captured:{lines}", obstacles=[asdict(item) for item in obstacles])


def why_not(name: str, value: Any) -> tuple[str, str]:
    """Reason and remedy for a global that is neither code, nor a constant, nor part of an installed package."""
    if name == "get_ipython" or (isinstance(value, MethodType) and name.startswith("get_ipython")):
        return NOTEBOOK_ONLY
    if isinstance(value, FunctionType) and value.__name__ == "<lambda>":
        return LAMBDA
    module = _local_module_of(value)
    if module is not None:
        return f"it comes from the module {module}, which is not installed but lies beside your code", FOLDER_FORM
    if isinstance(value, functools.partial):
        return "a functools.partial", "write a def that calls the function"
    if inspect.isroutine(value):
        return f"a {type(value).__name__} that no module offers by a name", "write a def that calls it"
    return _why_not_object(value)


def _local_module_of(value: Any) -> str | None:
    """The local module that a module, function or class comes from; None for what is defined here, or installed."""
    if isinstance(value, ModuleType):
        module: Any = value.__name__
    elif isinstance(value, type | FunctionType):
        module = value.__module__
    else:
        module = None
    is_local = isinstance(module, str) and module != "__main__" and origin_of(module) is Origin.LOCAL
    return module if is_local else None


def _why_not_object(value: Any) -> tuple[str, str]:
    kind = type(value).__name__
    if hasattr(value, "get_params") and hasattr(value, "fit"):
        return f"a fitted {kind}, an object and not code", f"make it a step of the pipeline, or {FOLDER_FORM}"
    if hasattr(value, "shape"):
        return (
            f"a {kind} of shape {tuple(value.shape)}",
            f"write what you need of it as a list or dict, or {FOLDER_FORM}",
        )
    if isinstance(value, list | tuple | dict | set | frozenset):
        return (
            f"a {kind} that is not made of constants, or is very large",
            f"build it inside a function, or {FOLDER_FORM}",
        )
    return f"an object of type {kind}, not code", f"make it inside the function, or {FOLDER_FORM}"
