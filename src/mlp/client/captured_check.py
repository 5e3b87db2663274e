"""Runs captured source on its own and compares it with the original: same code, same defaults, same frame."""

import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from mlp.client.definitions import functions_of, same_code
from mlp.client.literals import literal_text
from mlp.client.obstacles import Obstacle, refusal
from mlp.clock import new_id
from mlp.errors import BadInput, CannotCapture

if TYPE_CHECKING:
    import pandas as pd


def check_captured(source: str, name: str, function: Callable[..., Any], originals: Mapping[str, Any]) -> None:
    """Nothing, if the source runs in a fresh module and defines there the same code as the originals.

    Args:
        originals: Functions and classes of this process by the name that the source gives them.

    Raises:
        CannotCapture: The source does not run, or the definitions found are not those of the running objects: they
            were edited, wrapped or given other defaults afterwards.
    """
    with running(source, name) as module:
        changed = [
            difference
            for original_name, original in originals.items()
            for difference in _differences(original_name, original, getattr(module, original_name))
        ]
    if changed:
        raise refusal(f"{name}={getattr(function, '__name__', name)}", changed)


@contextmanager
def running(source: str, name: str) -> Iterator[ModuleType]:
    """A module of its own made from the source, for as long as the context lasts.

    Raises:
        CannotCapture: The source does not compile, or raises when executed.
    """
    module = ModuleType(f"_captured_{new_id().replace('-', '')}")
    filename = f"<captured {module.__name__}>"
    # Registered so that tracebacks show its lines, and dataclasses and pickling find the module of a class.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    sys.modules[module.__name__] = module
    try:
        try:
            # The source brings its own future imports; those of this file must not leak into it.
            exec(compile(source, filename, "exec", dont_inherit=True), vars(module))
        except Exception as error:
            raise CannotCapture(
                f"the captured source of {name} does not run on its own: {type(error).__name__}: {error}. "
                'Use the folder form: "mlp models new"'
            ) from error
        yield module
    finally:
        sys.modules.pop(module.__name__, None)
        linecache.cache.pop(filename, None)


def _differences(name: str, original: Any, captured: Any) -> Iterator[Obstacle]:
    if isinstance(original, type):
        captured_functions = {function.__qualname__: function for function in functions_of(captured)}
        for function in functions_of(original):
            twin = captured_functions.get(function.__qualname__)
            if twin is None or not same_code(function.__code__, twin.__code__):
                yield _edited(f"{name}.{function.__name__}")
        return
    for left, right in _wrapping(name, original, captured):
        if isinstance(left, Obstacle):
            yield left
        elif isinstance(left, FunctionType) and isinstance(right, FunctionType):
            if not same_code(left.__code__, right.__code__):
                yield _edited(name)
            elif _defaults(left) != _defaults(right):
                reason = "its default values were computed from constants that have changed since"
                yield Obstacle(name, "", reason, "run the definition again")


def _edited(name: str) -> Obstacle:
    return Obstacle(name, "", "its source has changed since it was run", "run the definition again")


def _defaults(function: FunctionType) -> tuple[str | None, str | None]:
    return literal_text(function.__defaults__), literal_text(function.__kwdefaults__)


def _wrapping(name: str, original: Any, captured: Any) -> Iterator[tuple[Any, Any]]:
    """Both objects layer by layer, from the outermost wrapper to the function within."""
    while True:
        if type(original) is not type(captured) or hasattr(original, "__wrapped__") != hasattr(captured, "__wrapped__"):
            reason = "it was wrapped after its definition, so that its source is not the whole of it"
            yield Obstacle(name, "", reason, "write the wrapper as a decorator above the def"), None
            return
        yield original, captured
        if not hasattr(original, "__wrapped__"):
            return
        original, captured = original.__wrapped__, captured.__wrapped__


def check_same_frame(source: str, name: str, function: Callable[..., Any] | None, frame: "pd.DataFrame") -> Any:
    """What the captured source makes of the frame, after it has been seen to be what the function makes of it.

    Args:
        function: The original; None where the source itself is the original.
        frame: The example; neither function gets this very object, so it stays as it is.

    Raises:
        BadInput: The original fails on the example.
        CannotCapture: The captured source fails, or makes something else.
    """
    with running(source, name) as module:
        captured = getattr(module, name)
        expected = _applied(captured if function is None else function, frame, name)
        if function is None:
            return expected
        try:
            made = captured(frame.copy())
        except Exception as error:
            raise CannotCapture(
                f"the captured source of {name} fails on the example where the original does not: "
                f"{type(error).__name__}: {error}"
            ) from error
    if not _is_same(expected, made):
        raise CannotCapture(
            f"the captured source of {name} makes another frame of the example than the original: the result is "
            "random, or depends on what was changed since; set the seed, or run all cells again in order"
        )
    return expected


def _applied(function: Callable[..., Any], frame: "pd.DataFrame", name: str) -> Any:
    try:
        made = function(frame.copy())
    except Exception as error:
        raise BadInput(f"{name} fails on the example: {type(error).__name__}: {error}") from error
    if made is None:
        raise BadInput(f"{name} returned None for the example: does it lack its return statement?")
    return made


def _is_same(expected: Any, made: Any) -> bool:
    import pandas as pd

    if type(expected) is not type(made):
        return False
    if isinstance(expected, pd.DataFrame):
        return expected.equals(made) and bool((expected.dtypes == made.dtypes).all())
    return bool(pd.DataFrame(_dense(expected)).equals(pd.DataFrame(_dense(made))))


def _dense(matrix: Any) -> Any:
    """A sparse matrix as an array; anything else as it is."""
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix
