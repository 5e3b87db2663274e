"""The Idempotency-Key header: reading it, and the fingerprint that tells a repeated request from another one.

Source: draft-ietf-httpapi-idempotency-key-header-07. The value is a string of RFC 9651 section 3.3.3 (quoted); many
clients send it bare, which is read too.
"""

import hashlib
import re

from mlp.errors import BadInput

KEY_CHARACTERS_MAX = 255

# RFC 9651 section 4.2.5: printable ASCII, with \" and \\ as the only escapes; parameters of the item are ignored.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)" *(?:;.*)?')
_BARE = re.compile(r"[!#-+\--:<-~]*")


def parse_key(header: str | None) -> str | None:
    """The key that the header carries; None without the header.

    Raises:
        BadInput: Empty, longer than 255 characters, or neither a quoted string nor a bare token.
    """
    if header is None:
        return None
    text = header.strip(" \t")
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    elif _BARE.fullmatch(text):
        key = text
    else:
        raise BadInput(f'the header Idempotency-Key must be a string such as "8e03978e-40d5", got {header[:100]}')
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX:
        raise BadInput(f"the header Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} characters, got {len(key)}")
    return key


def fingerprint(*parts: str | bytes | None) -> str:
    """SHA-256, in hexadecimal, over what makes a request the same: method, path and body, say."""
    digest = hashlib.sha256()
    for part in parts:
        octets = b"-" if part is None else b"+" + (part.encode() if isinstance(part, str) else part)
        # Each part's length goes first, so that no two lists of parts run together to the same bytes.
        digest.update(len(octets).to_bytes(8, "big"))
        digest.update(octets)
    return digest.hexdigest()
