"""Wire shapes of feedback. A batch of labels is read by msgspec, since a file of 10,000 is one request."""

from typing import Any

import msgspec
from pydantic import BaseModel


class LabelIn(msgspec.Struct, forbid_unknown_fields=True):
    """One label: what it is, and which inference it is about, by ``id`` and ``row`` or by ``key``."""

    label: Any = msgspec.UNSET  # missing, it costs this label alone and not the whole request
    id: str | None = None
    row: int = 0
    key: str | None = None
    at: str | None = None
    source: str | None = None


class FeedbackIn(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/feedback``."""

    model: str
    labels: list[LabelIn]
    check: bool = False


def body_schema() -> dict[str, Any]:
    """The JSON schema of FeedbackIn, complete in itself."""
    _references, parts = msgspec.json.schema_components([FeedbackIn])
    body: dict[str, Any] = parts["FeedbackIn"]
    body["properties"]["labels"]["items"] = {**parts["LabelIn"], "required": ["label"]}
    return body


class Rejection(BaseModel):
    """A label that was not accepted, by its index in the request."""

    index: int
    code: str
    detail: str


class FeedbackReport(BaseModel):
    """What became of the labels of one request; ``late`` counts among the others."""

    matched: int = 0
    parked: int = 0
    repeated: int = 0
    changed: int = 0
    late: int = 0
    rejected: list[Rejection] = []


class FeedbackSummary(BaseModel):
    """How much of what was predicted is known by now, and how long it took."""

    predictions: int
    labelled: int
    coverage: float | None
    parked: int
    repeated: int
    changed: int
    delay_p50_seconds: float | None
    delay_p95_seconds: float | None
