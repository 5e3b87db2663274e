"""Wire shapes of recorded inferences."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class RecordedRow(BaseModel):
    """One row of a recorded request."""

    row: int
    key: str | None
    inputs: dict[str, Any] | None
    output: dict[str, Any] | None
    score: float | None
    predicted: Any
    label: Any
    labelled_at: datetime | None


class InferenceItem(BaseModel):
    """One recorded request with all its rows."""

    id: str
    model: str
    version: str
    role: str
    mode: str
    at: datetime
    recorded_at: datetime
    rows: list[RecordedRow]


class InferenceSummary(BaseModel):
    """One recorded row in a list."""

    id: str
    row: int
    key: str | None
    model: str
    version: str
    role: str
    at: datetime
    score: float | None
    predicted: Any
    label: Any


class InferencePage(BaseModel):
    """A page of recorded rows."""

    inferences: list[InferenceSummary]
    next: str | None
