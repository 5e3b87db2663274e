"""Signs webhooks, so that a receiver knows whom a call comes from and that nobody has changed it.

Source: Standard Webhooks 1.0.0, "Signature scheme" and "Webhook headers", https://www.standardwebhooks.com.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from mlp.errors import ConfigurationInvalid

_PREFIX = "whsec_"
#: The specification's least length: 192 bits.
KEY_BYTES_MIN = 24


def signing_keys(secret: SecretStr | None) -> tuple[bytes, ...]:
    """The keys that the setting ``webhook_secret`` holds; none where it is empty.

    Several secrets, separated by spaces, all sign: while receivers change from the old one to the new one both are
    valid. ``whsec_`` is followed by the key in Base64; a secret without it is a key as it is.

    Raises:
        ConfigurationInvalid: A key is shorter than 24 bytes, or not Base64 behind ``whsec_``.
    """
    texts = [] if secret is None else secret.get_secret_value().split()
    return tuple(_key(text) for text in texts)


def signature_of(keys: Sequence[bytes], message_id: str, timestamp_seconds: int, body: bytes) -> str:
    """What the field webhook-signature says: a signature with each key, separated by spaces.

    Args:
        message_id: The same in every attempt; has no full stop in it.
        timestamp_seconds: When this attempt is made, seconds since 1970.
    """
    signed = f"{message_id}.{timestamp_seconds}.".encode() + body
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(text: str) -> bytes:
    key = text.encode()
    if text.startswith(_PREFIX):
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error as error:
            raise ConfigurationInvalid("MLP_WEBHOOK_SECRET: what follows whsec_ is not Base64") from error
    if len(key) < KEY_BYTES_MIN:
        raise ConfigurationInvalid(
            f"MLP_WEBHOOK_SECRET: a key of {len(key)} bytes can be guessed, give at least {KEY_BYTES_MIN}: "
            f'echo "{_PREFIX}$(openssl rand -base64 32)" makes one'
        )
    return key
