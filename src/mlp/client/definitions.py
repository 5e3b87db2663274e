"""Finds the source of a function or class: in a script, in a cell of a notebook, in whatever linecache knows.

Parses the whole file or cell and picks the statement, so that decorators, nesting and several definitions of one
name are told apart. inspect.getsource does not find the classes of a notebook before Python 3.13.
"""

import ast
import inspect
import linecache
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from mlp.client.obstacles import LAMBDA, SourceNotFound

_Statement = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Definition:
    """One ``def`` or ``class`` statement, decorators included, moved to the left margin.

    Attributes:
        name: What the statement binds.
    """

    name: str
    source: str


def definition_of_function(function: FunctionType) -> Definition:
    """The statement that defined a function.

    Raises:
        SourceNotFound: It is a lambda, or was defined where no source is kept.
    """
    code = function.__code__
    if code.co_name == "<lambda>":
        raise SourceNotFound(*LAMBDA)
    text = _text_of(code.co_filename, function.__globals__)
    for statement in _statements(text, code.co_name):
        if not isinstance(statement, ast.ClassDef) and _first_line(statement) == code.co_firstlineno:
            return _definition(statement, text)
    raise _no_source(code.co_filename)


def definition_of_class(cls: type, namespace: dict[str, Any]) -> Definition:
    """The statement that defined a class.

    The file or cell is known by the code of its methods; a class without methods is looked for by name in
    everything that was run.

    Raises:
        SourceNotFound: No statement is found, or several that differ.
    """
    functions = list(functions_of(cls))
    for function in functions:
        text = _text_of(function.__code__.co_filename, function.__globals__)
        for statement in _statements(text, cls.__name__):
            if isinstance(statement, ast.ClassDef) and _contains(statement, function.__code__):
                return _definition(statement, text)
    found = {_definition(statement, text) for statement, text in _classes_named(cls, namespace)}
    if len(found) > 1:
        raise SourceNotFound(
            "it was defined several times, each time otherwise", "restart the kernel and run the cells once"
        )
    if not found:
        raise _no_source(functions[0].__code__.co_filename if functions else "<unknown>")
    return found.pop()


def functions_of(cls: type) -> Iterator[FunctionType]:
    """The functions written in the body of a class: methods, static and class methods, getters of properties.

    Seen through their decorators. Those that a decorator of the class generated, such as the ``__init__`` of a
    dataclass, are not written there.
    """
    for value in vars(cls).values():
        inner = getattr(value, "fget", None) or getattr(value, "__func__", value)
        inner = inspect.unwrap(inner) if callable(inner) else inner
        is_own = isinstance(inner, FunctionType) and inner.__qualname__ == f"{cls.__qualname__}.{inner.__name__}"
        if is_own and not inner.__code__.co_filename.startswith("<string"):
            yield inner


def same_code(left: CodeType, right: CodeType) -> bool:
    """Whether two pieces of compiled code do the same, wherever they stand; both from this Python."""
    if (left.co_names, left.co_varnames, left.co_freevars) != (right.co_names, right.co_varnames, right.co_freevars):
        return False
    # Since Python 3.13 the body of a class holds its line number as a constant.
    if "__firstlineno__" in left.co_names:
        return True
    left_constants, right_constants = left.co_consts, right.co_consts
    return len(left_constants) == len(right_constants) and all(map(_same_constant, left_constants, right_constants))


def _same_constant(left: Any, right: Any) -> bool:
    if isinstance(left, CodeType) and isinstance(right, CodeType):
        return same_code(left, right)
    return type(left) is type(right) and repr(left) == repr(right)


def _text_of(filename: str, namespace: dict[str, Any]) -> str:
    linecache.checkcache(filename)
    return "".join(linecache.getlines(filename, namespace))


def _statements(text: str, name: str) -> Iterator[_Statement]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return  # what linecache knows of this name is not the Python that was run
    for node in ast.walk(tree):
        if isinstance(node, _Statement) and node.name == name:
            yield node


def _first_line(statement: _Statement) -> int:
    """The line of the first decorator, which is where Python says that the code begins."""
    return min([statement.lineno, *(decorator.lineno for decorator in statement.decorator_list)])


def _contains(statement: ast.ClassDef, code: CodeType) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name == code.co_name
        and _first_line(node) == code.co_firstlineno
        for node in statement.body
    )


def _definition(statement: _Statement, text: str) -> Definition:
    lines = text.splitlines(keepends=True)[_first_line(statement) - 1 : statement.end_lineno]
    return Definition(statement.name, textwrap.dedent("".join(lines)).rstrip() + "\n")


def _classes_named(cls: type, namespace: dict[str, Any]) -> Iterator[tuple[ast.ClassDef, str]]:
    script = namespace.get("__file__")
    filenames = [script] if isinstance(script, str) else [name for name in linecache.cache if _is_cell(name)]
    for filename in filenames:
        text = _text_of(filename, namespace)
        if f"class {cls.__name__}" not in text:
            continue
        for statement in _statements(text, cls.__name__):
            if isinstance(statement, ast.ClassDef) and _has_line(cls, statement):
                yield statement, text


def _is_cell(filename: str) -> bool:
    """Whether linecache holds a cell under this name: no file, unless the debugger of ipykernel has written it."""
    return "ipykernel_" in filename or not os.path.exists(filename)


def _has_line(cls: type, statement: ast.ClassDef) -> bool:
    line = vars(cls).get("__firstlineno__")  # since Python 3.13
    return line is None or line == _first_line(statement)


def _no_source(filename: str) -> SourceNotFound:
    if filename.startswith("<timed"):
        return SourceNotFound("a cell that begins with %%time keeps no source", "define it in a cell of its own")
    if filename.startswith("<"):
        return SourceNotFound(f"it was defined in {filename}, which keeps no source", "define it in a script or a cell")
    return SourceNotFound(
        f"its source in {filename} is gone or has changed since it was run", "run the definition again"
    )


def is_made_here(thing: Any) -> bool:
    """Whether a function or class was defined in the notebook or script itself, not in a module that is imported."""
    if not isinstance(thing, type | FunctionType) and not hasattr(thing, "__wrapped__"):
        return False
    module = getattr(thing, "__module__", None)
    # exec with a bare namespace gives functions the module of the built-ins.
    return module in (None, "__main__") or (module == "builtins" and isinstance(thing, FunctionType))
