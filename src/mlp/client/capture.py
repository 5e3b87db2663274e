"""Turns a function of a notebook or script into the source of a module that stands on its own: model.py.

Follows every global that the function uses, and what those use, and writes imports, constants, classes and functions.
Whatever cannot be written down is named, all of it at once. Source travels, never bytecode.
"""

import __future__

import builtins
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from mlp.client.captured_check import check_captured, running
from mlp.client.definitions import (
    Definition,
    definition_of_class,
    definition_of_function,
    functions_of,
    is_made_here,
)
from mlp.client.importable import from_import, module_imports
from mlp.client.literals import imports_of, literal_text
from mlp.client.names import NamesRead, names_read
from mlp.client.obstacles import FOLDER_FORM, NOTEBOOK_ONLY, Obstacle, SourceNotFound, refusal, why_not
from mlp.client.origins import Origin, origin_of
from mlp.errors import BadInput, CannotCapture

_FUTURE_IMPORT = "from __future__ import annotations\n"
# What every module has by itself; a captured value would be that of the notebook.
_MODULE_OWN = frozenset({"__name__", "__doc__", "__builtins__", "__spec__", "__loader__", "__package__"})


@dataclass(frozen=True, slots=True)
class Captured:
    """A module in source form that defines the captured function.

    Attributes:
        source: Text of the module.
        modules: Every module that it imports, dotted.
    """

    source: str
    modules: frozenset[str]


def capture(function: Callable[..., Any], name: str = "preprocess") -> Captured:
    """A module that defines ``function`` under ``name``, and runs on its own.

    The module has been compiled and executed in this process, and its code compared with the function's.

    Args:
        function: Defined in a script or notebook with its source at hand, or imported from an installed package.

    Raises:
        CannotCapture: It uses what cannot be written as source. Names everything, with reason and remedy.
    """
    walk = _Walk()
    walk.follow(name, function, used_by="", namespace=vars(sys.modules["__main__"]))
    if walk.obstacles:
        raise refusal(f"{name}={getattr(function, '__name__', type(function).__name__)}", walk.obstacles)
    source = walk.source(name)
    check_captured(source, name, function, {piece.definition.name: piece.thing for piece in walk.pieces.values()})
    return Captured(source, frozenset(walk.modules))


def captured_file(path: Path, name: str = "preprocess") -> Captured:
    """The module in a file of Python source, as it is.

    Raises:
        BadInput: There is no such file, or it does not define ``name``.
        CannotCapture: It does not compile, or imports a module that only this machine has.
    """
    try:
        source = path.read_text(encoding="utf-8")
        names = names_read(source)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    except (SyntaxError, ValueError) as error:
        raise CannotCapture(f"{path} is not Python source: {error}") from error
    walk = _Walk()
    walk.follow_inner_imports(names, path.name)
    if walk.obstacles:
        raise refusal(str(path), walk.obstacles)
    with running(source, path.name) as module:
        if not callable(getattr(module, name, None)):
            raise BadInput(f"{path} does not define a function {name}(frame)")
    return Captured(source, frozenset(walk.modules))


@dataclass
class _Piece:
    """One function or class on its way into the module; dependencies are keys of ``_Walk.pieces``."""

    thing: Any
    definition: Definition
    needed_before: list[int] = field(default_factory=list)
    needed_later: list[int] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)


class _Walk:
    """Collects what the module will hold, from one function outwards."""

    def __init__(self) -> None:
        self.obstacles: list[Obstacle] = []
        self.pieces: dict[int, _Piece] = {}
        self.modules: set[str] = set()
        self._imports: set[str] = set()
        self._constants: dict[str, str] = {}
        self._bound: dict[str, Any] = {}
        self._has_future_annotations = False

    def follow(
        self, name: str, value: Any, used_by: str, namespace: dict[str, Any], paths: tuple[tuple[str, ...], ...] = ()
    ) -> int | None:
        """Take in a global and all that it needs; the key of its piece if it is a function or class made here.

        Args:
            namespace: The globals among which it was found.
            paths: What its user reaches through it, if it is a module.
        """
        if isinstance(value, ModuleType) and origin_of(value.__name__) is not Origin.LOCAL:
            self._bind(name, value, used_by)
            self._add_imports(module_imports(value, name, paths))
            return None
        if not self._bind(name, value, used_by):
            return id(value) if id(value) in self.pieces else None
        if is_made_here(value):
            return self._follow_definition(name, value, used_by, namespace)
        text = literal_text(value)
        if text is not None:
            self._constants[name] = text
            self._add_imports(imports_of(text))
            return None
        statement = from_import(value, name)
        if statement is not None:
            self._add_imports([statement])
        else:
            self._refuse(name, used_by, *why_not(name, value))
        return None

    def _bind(self, name: str, value: Any, used_by: str) -> bool:
        """Whether the name is new; a name that means two things is an obstacle."""
        if name not in self._bound:
            self._bound[name] = value
            return True
        if self._bound[name] is not value:
            self._refuse(name, used_by, "the name stands for two different things", "give one of them another name")
        return False

    def _refuse(self, name: str, used_by: str, reason: str, remedy: str) -> None:
        self.obstacles.append(Obstacle(name, used_by, reason, remedy))

    def _add_imports(self, statements: list[str]) -> None:
        self._imports.update(statements)
        self.modules.update(statement.split()[1] for statement in statements)

    def _follow_definition(self, name: str, thing: Any, used_by: str, found_in: dict[str, Any]) -> int | None:
        if id(thing) in self.pieces:
            self.pieces[id(thing)].aliases.append(name)
            return id(thing)
        inner = inspect.unwrap(thing)
        functions = list(functions_of(inner)) if isinstance(inner, type) else [inner]
        # The methods of a class know its globals; one without methods has those of whoever uses it.
        namespace = next(
            (function.__globals__ for function in functions if isinstance(function, FunctionType)), found_in
        )
        try:
            _refuse_special(thing, functions)
            if isinstance(inner, type):
                definition = definition_of_class(inner, namespace)
            else:
                definition = definition_of_function(inner)
        except SourceNotFound as error:
            self._refuse(name, used_by, error.reason, error.remedy)
            return None
        piece = self.pieces[id(thing)] = _Piece(thing, definition)
        if definition.name != name:
            self._bind(definition.name, thing, used_by)
            piece.aliases.append(name)
        is_future = any(function.__code__.co_flags & __future__.annotations.compiler_flag for function in functions)
        self._has_future_annotations |= is_future
        self._follow_names(piece, names_read((_FUTURE_IMPORT if is_future else "") + definition.source), namespace)
        return id(thing)

    def _follow_names(self, piece: _Piece, names: NamesRead, namespace: dict[str, Any]) -> None:
        user = piece.definition.name
        self.follow_inner_imports(names, user)
        for name in sorted((names.at_definition | names.later | names.written) - _MODULE_OWN):
            if name == "__file__":
                self._refuse(name, user, "the place of your script, which the server does not have", FOLDER_FORM)
            elif name in namespace:
                paths = tuple(sorted(path[1:] for path in names.attributes if path[0] == name))
                needed = self.follow(name, namespace[name], user, namespace, paths)
                if needed is not None:
                    (piece.needed_before if name in names.at_definition else piece.needed_later).append(needed)
            elif name not in names.written and not _is_standard_builtin(name):
                self._refuse_unknown(name, user)

    def _refuse_unknown(self, name: str, user: str) -> None:
        """A name that is neither global nor Python's own."""
        if hasattr(builtins, name):
            self._refuse(name, user, *NOTEBOOK_ONLY)
        else:
            self._refuse(name, user, "it is not defined", "define it before, or take it out")

    def follow_inner_imports(self, names: NamesRead, user: str) -> None:
        """Take in the import statements within a source; their text is there already."""
        for module in sorted(names.imported - {"__future__"}):
            self._follow_inner_import(module, user)

    def _follow_inner_import(self, module: str, user: str) -> None:
        if module.startswith("."):
            self._refuse(module, user, "a relative import", FOLDER_FORM)
        elif origin_of(module) is Origin.LOCAL:
            reason = f"it imports the module {module}, which is not installed but lies beside your code"
            self._refuse(module, user, reason, FOLDER_FORM)
        else:
            self.modules.add(module)

    def source(self, name: str) -> str:
        """The text of the module: imports, constants, then definitions, each after what it needs to run."""
        head = f'"""{name} of this version, as captured from the notebook or script that made it."""\n'
        if self._has_future_annotations:
            head += "\n" + _FUTURE_IMPORT
        blocks = [head]
        if self._imports:
            blocks.append("\n".join(sorted(self._imports)) + "\n")
        if self._constants:
            blocks.append("".join(f"{constant} = {text}\n" for constant, text in sorted(self._constants.items())))
        for piece in self._in_order():
            aliases = "".join(f"{alias} = {piece.definition.name}\n" for alias in piece.aliases)
            blocks.append("\n" + piece.definition.source + ("\n\n" + aliases if aliases else ""))
        return "\n".join(blocks)

    def _in_order(self) -> list[_Piece]:
        """The pieces so that everything a statement needs while it runs stands before it."""
        placed: dict[int, _Piece] = {}
        under_way: set[int] = set()

        def place(key: int) -> None:
            if key in placed or key in under_way:
                return
            under_way.add(key)
            # A decorator is called while the statement runs, so what it uses itself must stand before, too.
            for needed in self._reach(self.pieces[key].needed_before):
                place(needed)
            placed[key] = self.pieces[key]

        # The function itself was found first and reads best last, below what it calls.
        for key in reversed(self.pieces):
            place(key)
        return list(placed.values())

    def _reach(self, keys: list[int]) -> list[int]:
        reached: dict[int, None] = {}
        waiting = list(reversed(keys))
        while waiting:
            key = waiting.pop()
            if key not in reached:
                reached[key] = None
                waiting.extend(reversed(self.pieces[key].needed_before + self.pieces[key].needed_later))
        return list(reached)


def _refuse_special(thing: Any, functions: list[FunctionType]) -> None:
    """Refuse what has source, but is more than its source.

    Raises:
        SourceNotFound: Variables of an outer function, or implementations registered elsewhere.
    """
    if hasattr(thing, "registry") and hasattr(thing, "dispatch"):
        raise SourceNotFound("a functools.singledispatch, whose implementations are registered elsewhere", FOLDER_FORM)
    for function in functions:
        if not isinstance(function, FunctionType):
            raise SourceNotFound(f"a {type(function).__name__} around no function of Python", "write it as a def")
        captured = set(function.__code__.co_freevars) - {"__class__"}
        if captured:
            variables = ", ".join(sorted(captured))
            raise SourceNotFound(
                f"it holds variables of the function around it: {variables}",
                "define it at the top level and make them constants, arguments or a class "
                "(a decorator: use functools.wraps)",
            )


def _is_standard_builtin(name: str) -> bool:
    module = getattr(getattr(builtins, name, None), "__module__", "builtins")
    return hasattr(builtins, name) and not str(module).startswith("IPython") and name != "get_ipython"
