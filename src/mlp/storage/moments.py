"""Moments in the query of a list or a report: a time with its offset, or a plain day."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from mlp.clock import from_rfc3339_or_day


def _read(value: Any) -> Any:
    return from_rfc3339_or_day(value) if isinstance(value, str) else value


#: A parameter of a route; what cannot be read is refused with BadInput.
QueryMoment = Annotated[
    datetime,
    BeforeValidator(_read),
    WithJsonSchema(
        {
            "type": "string",
            "description": "RFC 3339 time with an offset, or a day, which begins at 00:00 UTC",
            "examples": ["2026-03-01T12:00:00Z", "2026-03-01"],
        }
    ),
]
