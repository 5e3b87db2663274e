"""What both databases can keep as JSON: finite numbers, and text without NUL and without halves of characters."""

import math
from typing import Any

from mlp.errors import BadModelFolder

#: JSON numbers beyond are no integers of any type that a signature knows.
_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**64 - 1


def check_storable(value: Any, place: str) -> None:
    """Returns when the value, as deep as it goes, can be kept.

    Args:
        value: Of JSON's kinds: objects, lists, text, numbers, booleans and None.
        place: Where it stands, for the message, such as ``metrics``.

    Raises:
        BadModelFolder: It cannot; the message names the place and the value.
    """
    if isinstance(value, dict):
        for name, member in value.items():
            check_storable(name, place)
            check_storable(member, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            check_storable(member, f"{place}[{index}]")
    elif isinstance(value, str):
        if storable_text(value) != value:
            raise BadModelFolder(f"{place}: the text {value[:80]!a} holds a NUL or half a character: remove it")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BadModelFolder(f"{place} is {value}: only finite numbers can be kept; leave it out, or use text")
    elif isinstance(value, int) and not _INTEGER_MIN <= value <= _INTEGER_MAX:
        raise BadModelFolder(f"{place}: an integer of more than 64 bits cannot be kept; use text")


def storable_text(text: str) -> str:
    """The text with a replacement character for what cannot be kept."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
