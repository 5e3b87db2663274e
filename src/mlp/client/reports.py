"""What the monitor says of a model: quality over time from labels, drift of inputs against the training rows."""

from dataclasses import dataclass, field

from mlp.client.results import AwareTime


@dataclass(frozen=True, slots=True)
class QualityWindow:
    """Quality of the predictions made from ``start`` (inclusive) to ``end`` (exclusive).

    Attributes:
        coverage: labelled / predictions, 0 to 1; None where nothing was predicted.
        is_mature: The window lies behind the label horizon, so its labels count as complete.
        label_delay_p50_seconds: Median time from prediction to label.
        scores: By name, such as ``auc`` or ``rmse``; None where there are too few labels.
        intervals: 95 % confidence intervals (low, high) of the scores that have one.
    """

    start: AwareTime
    end: AwareTime
    predictions: int
    labelled: int
    coverage: float | None
    is_mature: bool
    label_delay_p50_seconds: float | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, tuple[float | None, float | None] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a model by day, week or month, with what was known at ``as_of``."""

    model: str
    task: str
    by: str
    as_of: AwareTime
    label_horizon_seconds: float
    windows: list[QualityWindow]


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one input has moved within a window.

    Attributes:
        measure: psi (population stability index) or js (Jensen-Shannon distance).
        threshold: ``distance`` above it counts as drift.
        missing_ratio: Share of rows without a value, 0 to 1.
        unknown_ratio: Share of rows whose value is no known category, 0 to 1.
    """

    feature: str
    distance: float | None
    measure: str
    threshold: float
    p_value: float | None
    is_drifted: bool
    missing_ratio: float | None = None
    unknown_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class DriftWindow:
    """Drift of the rows from ``start`` (inclusive) to ``end`` (exclusive), strongest feature first.

    Attributes:
        drifted_ratio: Share of the features that drifted, 0 to 1; None where there were no rows.
    """

    start: AwareTime
    end: AwareTime
    rows: int
    drifted: tuple[str, ...]
    drifted_ratio: float | None
    features: list[FeatureDrift]


@dataclass(frozen=True, slots=True)
class DriftReference:
    """The rows that drift is measured against."""

    rows: int
    source: str


@dataclass(frozen=True, slots=True)
class Drift:
    """Drift of a version's inputs and scores by day, week or month; no reference, no windows."""

    model: str
    version: str
    reference: DriftReference | None
    by: str
    windows: list[DriftWindow]
