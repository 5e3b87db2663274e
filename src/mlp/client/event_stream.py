"""Reads server-sent events as they come.

Source: WHATWG HTML, section 9.2.6 (interpreting an event stream).
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        id: The last id that the stream has named; empty for none.
        name: ``message`` unless the stream says otherwise.
    """

    id: str
    name: str
    data: str


def events_in(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream; one that is cut off in the middle is none."""
    event_id, name, data = "", "", list[str]()
    for line in _lines(chunks):
        if not line:
            if data:
                yield Event(event_id, name or "message", "\n".join(data))
            name, data = "", []
            continue
        field, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            event_id = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines that have an end; it may be a pair of characters, which a chunk's end may part."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    parts: list[str] = []
    for chunk in chunks:
        text = decoder.decode(chunk)
        if not _LINE_END.search(text) and not (parts and parts[-1].endswith("\r")):
            parts.append(text)  # joined once, at the line's end: a large result comes in many chunks
            continue
        *lines, rest = _split("".join(parts) + text)
        yield from lines
        parts = [rest]


def _split(text: str) -> list[str]:
    """The whole lines, then what is left; a carriage return at the very end may be the first half of an end."""
    if text.endswith("\r"):
        lines = _LINE_END.split(text[:-1])
        return [*lines[:-1], lines[-1] + "\r"]
    return _LINE_END.split(text)
