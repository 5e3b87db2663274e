"""The Prefer header: whether a caller would rather have a job than wait, and how long it would wait.

Source: RFC 7240; section 2 for the syntax, 4.1 for respond-async, 4.3 for wait.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Proxies commonly cut a request after 60 s; a caller that would wait longer is answered with the job then.
WAIT_SECONDS_MAX = 60

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_WORD = rf'(?:{_TOKEN}|"(?:[^"\\]|\\.)*")'
_PARAMETER = rf"{_TOKEN}(?:[ \t]*=[ \t]*{_WORD})?[ \t]*"
#: A preference with its value; its parameters are passed over, since none is defined for those that are read here.
#: No blank can be matched in two ways, so that a long header of blanks takes no long time.
_PREFERENCE = re.compile(rf"({_TOKEN})(?:[ \t]*=[ \t]*({_WORD}))?[ \t]*(?:;[ \t]*(?:{_PARAMETER})?)*(?:,|$)")
_BETWEEN = re.compile(r"[ \t,]*")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the caller prefers, as far as it is honoured here.

    Attributes:
        is_async: It would rather have 202 than wait.
        wait_seconds: It would wait so long, 0 to 60; None: nothing is said.
    """

    is_async: bool = False
    wait_seconds: int | None = None

    @property
    def applied(self) -> str:
        """What the field Preference-Applied of an answer with 202 says (RFC 7240 section 3); empty for nothing."""
        parts = ["respond-async"] if self.is_async else []
        if self.wait_seconds is not None:
            parts.append(f"wait={self.wait_seconds}")
        return ", ".join(parts)


_NONE = Preferences()


def parse_preferences(header: str | None) -> Preferences:
    """What the header prefers; what is unknown or malformed is ignored, as section 2 wants it.

    Names are compared without regard to case, and of two preferences of one name the first counts.
    """
    if header is None:
        return _NONE
    found: dict[str, str] = {}
    for match in _preferences(header):
        found.setdefault(match[1].lower(), _unquoted(match[2] or ""))
    wait = found.get("wait", "")
    wait_seconds = min(int(wait), WAIT_SECONDS_MAX) if _SECONDS.fullmatch(wait) else None
    return Preferences("respond-async" in found, wait_seconds)


def _preferences(header: str) -> Iterator[re.Match[str]]:
    position = 0
    while True:
        between = _BETWEEN.match(header, position)
        position = len(header) if between is None else between.end()
        if position == len(header):
            return
        match = _PREFERENCE.match(header, position)
        if match is not None:
            yield match
        position = match.end() if match is not None else (header.find(",", position) + 1 or len(header))


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word
