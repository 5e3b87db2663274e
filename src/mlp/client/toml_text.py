"""TOML text of a document, for the mlp.toml of a model folder: tables, inline tables, arrays and scalars.

The standard library reads TOML (tomllib) and does not write it. Order is kept, so the same document is the same text.
"""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mlp.errors import BadInput

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
# What a basic string must escape (TOML 1.0.0, "String"): control characters, the quote and the backslash.
_TO_ESCAPE = re.compile('[\x00-\x1f\x7f"\\\\]')


def to_toml(document: Mapping[str, Any]) -> str:
    """The document as TOML 1.0.0.

    Args:
        document: Values are str, bool, int, float, aware datetimes, lists of values, or mappings. A mapping is
            written as a table of its own where it stands in the document or in another table, and inline
            within a list. The table ``inputs`` of {"inputs": {"age": {"type": ..}}} holds its fields inline,
            one a line, since that is how people read and edit them.

    Raises:
        BadInput: A value that TOML does not know, such as None, with the place where it stands.
    """
    lines: list[str] = []
    _write_table((), document, lines)
    return "\n".join(lines).lstrip("\n") + "\n"


#: Tables whose mappings are written inline, one a line.
_INLINE_WITHIN = frozenset({("inputs",), ("outputs",)})


def _write_table(path: tuple[str, ...], table: Mapping[str, Any], lines: list[str]) -> None:
    inner = {}
    if path not in _INLINE_WITHIN:
        inner = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    values = {name: value for name, value in table.items() if name not in inner}
    if path and (values or not inner):
        lines.extend(["", f"[{'.'.join(map(_key, path))}]"])
    lines.extend(f"{_key(name)} = {_value(value, (*path, name))}" for name, value in values.items())
    for name, value in inner.items():
        _write_table((*path, name), value, lines)


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise BadInput(f"mlp.toml: the name {name!r} is not text")
    return name if _BARE_KEY.fullmatch(name) else _string(name, (name,))


def _value(value: Any, path: tuple[str, ...]) -> str:
    if isinstance(value, str):
        return _string(value, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else str(float(value))
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item, path) for item in value) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)} = {_value(item, (*path, str(name)))}" for name, item in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    raise BadInput(f"mlp.toml: {'.'.join(path)} = {value!r} cannot be written; use text, numbers, true, false or lists")


def _string(text: str, path: tuple[str, ...]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"mlp.toml: {'.'.join(path)!r} holds text that is no Unicode: {error}") from error
    return '"' + _TO_ESCAPE.sub(lambda found: _ESCAPES.get(found[0], f"\\u{ord(found[0]):04x}"), text) + '"'
