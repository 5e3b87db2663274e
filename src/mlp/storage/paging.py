"""Lists cut into pages by key: the cursor of a page is the key of its last item, opaque to whoever carries it.

Pages by key stay right while rows come and go, and the thousandth costs what the first does.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from mlp.errors import BadInput

Item = TypeVar("Item")
Other = TypeVar("Other")
#: What a list is ordered by: the values of the columns of its key.
Key = tuple[str | int, ...]

#: Items of a page unless asked otherwise: one screen, one quick query.
LIMIT_DEFAULT = 50
#: Most items of a page; a caller that wants all follows the cursor.
LIMIT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list in its order; ``next`` is the cursor of the page behind it, None at the end."""

    items: tuple[Item, ...]
    next: str | None

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def map(self, convert: Callable[[Item], Other]) -> "Page[Other]":
        """The same page with every item converted."""
        return Page(tuple(convert(item) for item in self.items), self.next)


def page_of(rows: Sequence[Item], limit: int, key_of: Callable[[Item], Key]) -> Page[Item]:
    """The first ``limit`` rows as a page.

    Args:
        rows: What a query for ``limit + 1`` rows found; the one too many says that another page follows.
        key_of: The key of a row, which its list is ordered by.
    """
    kept = tuple(rows[:limit])
    return Page(kept, encode_cursor(key_of(kept[-1])) if len(rows) > limit and kept else None)


def check_limit(limit: int) -> int:
    """The limit, which is 1 to LIMIT_MAX.

    Raises:
        BadInput: It is outside.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise BadInput(f"limit={limit}: a page has 1 to {LIMIT_MAX} items")
    return limit


def encode_cursor(key: Key) -> str:
    """The cursor that stands for a key: base64url without padding, safe in a query."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode("ascii")


def decode_cursor(cursor: str | None, *types: type) -> Key | None:
    """The key that a cursor stands for; None for the beginning of a list.

    Args:
        cursor: As a page of the same list gave it.
        types: ``str`` or ``int`` for each value of the key.

    Raises:
        BadInput: It is no cursor of such a list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str | int])
    except (UnicodeEncodeError, binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        values = []
    if [type(value) for value in values] != list(types) or not all(map(_is_storable, values)):
        raise BadInput(f'cursor="{cursor[:60]}" is none of this list: pass on the `next` of a page as it is')
    return tuple(values)


def _is_storable(value: str | int) -> bool:
    """Whether both databases take the value as a parameter: no NUL in text, 64 bits of a number."""
    return "\0" not in value if isinstance(value, str) else -(2**63) <= value < 2**63
