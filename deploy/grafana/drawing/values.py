"""Numbers and times as a panel shows them: units of Grafana, words in the place of numbers, short dates."""

from collections.abc import Mapping
from datetime import UTC, datetime

from deploy.grafana.builder import Unit

_SI = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_IEC = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
_SECONDS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_PER_SECOND = {
    Unit.REQUESTS_PER_SECOND: "req/s",
    Unit.ROWS_PER_SECOND: "rows/s",
    Unit.MESSAGES_PER_SECOND: "msg/s",
    Unit.EVENTS_PER_SECOND: "evt/s",
    Unit.OPERATIONS_PER_SECOND: "ops/s",
}


def shown(value: float, unit: str, words: Mapping[str, str] | None = None) -> str:
    """The value with its unit; a word where the panel has one for it."""
    word = (words or {}).get(f"{value:g}")
    if word is not None:
        return word
    if unit == Unit.SHARE:
        return f"{_rounded(100 * value)} %"
    if unit == Unit.SECONDS:
        return _scaled(value, _SECONDS, "s", smallest="µs")
    if unit in (Unit.BYTES, Unit.BYTES_PER_SECOND):
        return _scaled(value, _IEC, "B", smallest="B") + ("/s" if unit == Unit.BYTES_PER_SECOND else "")
    if unit == Unit.PLAIN:
        return f"{value:g}"
    suffix = next((f" {text}" for known, text in _PER_SECOND.items() if known == unit), "")
    size, letter = next(((size, letter) for size, letter in _SI if abs(value) >= size), (1.0, ""))
    return f"{_rounded(value / size)}{letter}{suffix}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], base: str, *, smallest: str) -> str:
    if value == 0:
        return f"0 {base}"
    size, name = next(((size, name) for size, name in steps if abs(value) >= size), (1.0, base))
    if abs(value) < steps[-1][0] and smallest != base:
        size, name = steps[-1]
    return f"{_rounded(value / size)} {name}"


def _rounded(value: float) -> str:
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def moment_text(seconds: float, span_seconds: float) -> str:
    """A time on an axis, in UTC: the day for spans of several days, else the time of day."""
    moment = datetime.fromtimestamp(seconds, UTC)
    if span_seconds > 3 * 86_400:
        return f"{moment:%d %b}".lstrip("0")
    return f"{moment:%H:%M:%S}" if span_seconds < 600 else f"{moment:%H:%M}"
