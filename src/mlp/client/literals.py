"""Source text of constants: what a captured function reads as a global and can be written down as a literal."""

import math
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

_DEPTH_MAX = 20  # deeper than anything written by hand; ends at structures that contain themselves
_TEXT_CHARACTERS_MAX = 1 << 20


def literal_text(value: Any) -> str | None:
    """An expression that makes the value again, or None where there is none of reasonable size.

    Takes numbers (of numpy too), text, bytes, bool, None, compiled patterns, and tuples, lists, dicts and sets of
    these. What is a subclass of one of them, such as a named tuple or an enum member, is none: its class would be
    lost. ``imports_of`` says which modules the expression needs.
    """
    text = _text(value, 0)
    return text if text is not None and len(text) <= _TEXT_CHARACTERS_MAX else None


def imports_of(expression: str) -> list[str]:
    """The import statements that an expression of ``literal_text`` needs; private names, so that none is hidden."""
    needed = {"_re.compile(": "import re as _re", "_np.": "import numpy as _np"}
    return [statement for mark, statement in needed.items() if mark in expression]


def _text(value: Any, depth: int) -> str | None:
    if depth > _DEPTH_MAX:
        return None
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value, depth)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic) and value.dtype.kind in "iufb":
        return f"_np.{value.dtype.name.replace('bool', 'bool_')}({_text(value.item(), depth + 1)})"
    return None


def _number(value: float, _depth: int) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'


def _plain(value: Any, _depth: int) -> str:
    return repr(value)


def _pattern(value: re.Pattern[Any], _depth: int) -> str:
    # UNICODE is what a pattern of text has by itself.
    flags = value.flags & ~re.UNICODE if isinstance(value.pattern, str) else value.flags
    return f"_re.compile({value.pattern!r}, {int(flags)})"


def _items(values: Iterable[Any], depth: int) -> list[str] | None:
    texts = [_text(value, depth + 1) for value in values]
    known = [text for text in texts if text is not None]
    return known if len(known) == len(texts) else None


def _list(value: list[Any], depth: int) -> str | None:
    items = _items(value, depth)
    return None if items is None else f"[{', '.join(items)}]"


def _tuple(value: tuple[Any, ...], depth: int) -> str | None:
    items = _items(value, depth)
    return None if items is None else f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _set(value: set[Any], depth: int) -> str | None:
    # Sorted by their text, since a set has no order of its own and the same set shall give the same source.
    items = _items(value, depth)
    if items is None:
        return None
    return f"{{{', '.join(sorted(items))}}}" if items else "set()"


def _frozenset(value: frozenset[Any], depth: int) -> str | None:
    inner = _set(set(value), depth)
    return None if inner is None else f"frozenset({inner if value else ''})"


def _dict(value: dict[Any, Any], depth: int) -> str | None:
    keys, values = _items(value.keys(), depth), _items(value.values(), depth)
    if keys is None or values is None:
        return None
    return f"{{{', '.join(f'{key}: {item}' for key, item in zip(keys, values, strict=True))}}}"


_WRITERS: dict[type, Callable[[Any, int], str | None]] = {
    float: _number,
    int: _plain,
    bool: _plain,
    str: _plain,
    bytes: _plain,
    type(None): _plain,
    type(...): _plain,
    re.Pattern: _pattern,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _frozenset,
    dict: _dict,
}
