"""Wire shapes of quality and drift."""

from datetime import datetime

from pydantic import BaseModel


class QualityWindow(BaseModel):
    """Quality over one calendar window of event time.

    ``is_mature``: every label that counts for it has had its time to come; before that the numbers still move.
    ``scores`` are None where too few labels, or labels of one class only, leave them undefined.
    """

    start: datetime
    end: datetime
    predictions: int
    labelled: int
    coverage: float
    is_mature: bool
    label_delay_p50_seconds: float | None
    scores: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]


class Quality(BaseModel):
    """Quality of a model over time, by the labels known at ``as_of``."""

    model: str
    version: str | None
    task: str
    by: str
    as_of: datetime
    label_horizon_seconds: float
    windows: list[QualityWindow]


class FeatureDriftItem(BaseModel):
    """How far one feature is from the reference."""

    feature: str
    distance: float
    measure: str
    threshold: float
    p_value: float
    is_drifted: bool
    missing_ratio: float
    unknown_ratio: float


class DriftWindow(BaseModel):
    """Drift over one calendar window of event time; the most conspicuous feature first."""

    start: datetime
    end: datetime
    rows: int
    drifted: list[str]
    drifted_ratio: float
    features: list[FeatureDriftItem]


class ReferenceItem(BaseModel):
    """What drift is measured against."""

    rows: int
    source: str


class Drift(BaseModel):
    """Drift of one version's inputs over time; ``reference`` is None where the version has none."""

    model: str
    version: str
    reference: ReferenceItem | None
    by: str
    windows: list[DriftWindow]
