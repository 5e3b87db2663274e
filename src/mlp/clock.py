"""The only source of time and identity: aware UTC times, UUID version 7 ids, RFC 3339 text."""

import os
import re
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

from mlp.errors import BadInput

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_id_lock = threading.Lock()
_last_id_millis = 0
_id_counter = 0


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """Microseconds from 1970-01-01T00:00Z to an aware moment, exact."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(moment_micros: int) -> datetime:
    """The aware UTC moment that many microseconds after 1970-01-01T00:00Z."""
    return _EPOCH + timedelta(microseconds=moment_micros)


def now_micros() -> int:
    """Microseconds since 1970-01-01T00:00Z; cheaper than now() on the hot path."""
    return time.time_ns() // 1000


def monotonic() -> float:
    """Seconds of a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def new_id() -> str:
    """A new UUID version 7 in its 36-character form (RFC 9562 section 5.7), increasing within this process.

    The 12 bits after the millisecond hold a counter, so that ids made in one millisecond keep their order
    (RFC 9562 section 6.2, method 1). When the counter is spent the millisecond runs ahead of the clock.
    """
    global _last_id_millis, _id_counter
    with _id_lock:
        millis = time.time_ns() // 1_000_000
        if millis > _last_id_millis:
            _last_id_millis, _id_counter = millis, 0
        else:
            _id_counter += 1
            if _id_counter > 0xFFF:
                _last_id_millis, _id_counter = _last_id_millis + 1, 0
        millis, counter = _last_id_millis, _id_counter
    tail = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return str(uuid.UUID(int=(millis << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | tail))


def first_id_of(moment: datetime) -> str:
    """The lowest id that new_id() could make in the millisecond of this moment."""
    millis = max(0, micros(moment) // 1000)
    return str(uuid.UUID(int=(millis << 80) | (0x7 << 76) | (0b10 << 62)))


def to_rfc3339(moment: datetime) -> str:
    """The moment in UTC as RFC 3339 text with ``Z``, microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_rfc3339(text: str) -> datetime:
    """The aware UTC moment that an RFC 3339 text names.

    Raises:
        BadInput: Not RFC 3339, or without an offset: a time of unknown zone is refused rather than guessed.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(f'"{text}" is not an RFC 3339 time with an offset, such as 2026-03-01T12:00:00Z')
    return moment.astimezone(UTC)


def from_rfc3339_or_day(text: str) -> datetime:
    """The aware UTC moment that an RFC 3339 text names; a plain day names its beginning in UTC.

    Raises:
        BadInput: Neither of the two.
    """
    try:
        return from_rfc3339(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    except BadInput:
        raise BadInput(
            f'"{text}" is neither a day, such as 2026-03-01, nor an RFC 3339 time with an offset, '
            "such as 2026-03-01T12:00:00Z"
        ) from None
