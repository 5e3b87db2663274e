"""What the client returns and takes: frozen values, parsed strictly from the server's JSON.

Times are aware and in UTC. Members that a newer server adds are left out; a missing or mistyped one is an error.
What the monitor knows (quality, drift) is in ``reports``.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

#: A label, a class or a metric.
Scalar = str | int | float | bool
#: A moment of the server: aware, in UTC.
AwareTime = Annotated[datetime, Meta(tz=True)]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Field:
    """One named input or output of a version.

    Attributes:
        dtype: int64, float64, bool, string, category, datetime, or the dtype of a tensor such as float32.
        nullable: A missing value (null) is accepted.
        minimum: Smallest accepted number, inclusive; ``maximum`` likewise.
        unknown: Whether a value outside ``categories`` is refused, or passed on and counted.
        shape: Sizes behind the batch dimension; empty for a plain column, -1 where a size may vary.
    """

    name: str
    dtype: str
    nullable: bool = False
    minimum: int | float | None = None
    maximum: int | float | None = None
    categories: tuple[str, ...] | None = None
    unknown: str = "refuse"
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything that a version accepts and returns.

    Attributes:
        task: classification, regression or tensors.
        classes: Labels of a classification, in the model's order.
        extra_columns: Whether a column that is no input is refused or ignored.
        positive_class: The label whose probability is the score of a two-class model.
    """

    task: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...] = ()
    classes: tuple[Scalar, ...] | None = None
    extra_columns: str = "refuse"
    positive_class: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """What is installed somewhere: Python, and package versions by distribution name."""

    python: str | None = None
    packages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version of a model.

    Attributes:
        version: Its number within the model, as text: "1", "2", ...
        digest: SHA-256 of what was registered.
        size_bytes: Size of what was registered.
        environment: Of the server that accepted it.
        example: Rows that the version accepts.
        aliases: Names that point at it now.
        has_reference: Drift can be measured against rows from its training.
        trained_with: Versions of the packages that it was made with, and of ``python``, as far as they are known.
        warnings: What differs between where it was made and the server, or was assumed, in sentences.
    """

    model: str
    version: str
    runtime: str
    task: str
    digest: str
    size_bytes: int
    signature: Signature
    environment: Environment
    metrics: dict[str, Any]
    lineage: dict[str, Any]
    example: list[Any]
    created_at: AwareTime
    aliases: tuple[str, ...]
    has_reference: bool
    trained_with: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Canary:
    """The share of unversioned requests, 0 to 100 percent, that another alias answers."""

    alias: str
    percent: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """How unversioned requests split: champion answers all but the canary's; the shadow answers unheard."""

    canary: Canary | None = None
    shadow: str | None = None


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How a model is recorded and judged.

    Attributes:
        label_horizon_seconds: Age at which the label of a prediction counts as complete.
        record: on, durable or off.
    """

    label_horizon_seconds: float
    record: str


@dataclass(frozen=True, slots=True)
class Model:
    """A name with its versions; ``aliases`` says which version each alias points at."""

    name: str
    created_at: AwareTime
    aliases: dict[str, str]
    versions_count: int
    latest_version: str | None
    traffic: Traffic
    settings: ModelSettings


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One move of an alias: from where, to where, when and why.

    Attributes:
        kind: set, promote, rollback or delete.
    """

    alias: str
    from_version: str | None
    to_version: str | None
    at: AwareTime
    reason: str
    kind: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one row: label with probabilities, or value, or outputs; the others are None.

    Attributes:
        key: Your own name of the row, where you gave one.
        label: Of a classification.
        probabilities: 0 to 1 by class; None where the model has none.
        value: Of a regression.
        outputs: Of any other model, by output name.
    """

    key: str | None = None
    label: Scalar | None = None
    probabilities: dict[str, float] | None = None
    value: float | None = None
    outputs: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request: ``predictions`` in the order of its rows.

    Attributes:
        id: Names the recorded inference; with the index of a row it is what a label refers to.
    """

    id: str
    model: str
    version: str
    predictions: list[Prediction]


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is: ``done`` of ``total`` steps."""

    done: int
    total: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: the code of an error of mlp.errors, and its message."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class JobWebhook:
    """The call at a job's end.

    Attributes:
        state: open (still to be called), delivered or failed.
        attempt: How often it was called.
        last_status: What the receiver answered last.
    """

    url: str
    state: str
    attempt: int
    last_status: int | None = None
    last_error: str | None = None
    ended_at: AwareTime | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of queued work.

    Attributes:
        kind: What is done, such as ``registry.accept``.
        attempt: How often it was begun.
        result: What it returned, once succeeded.
        error: Why it failed, once failed.
        webhook: The call at its end, where one job is shown that has one.
    """

    id: str
    kind: str
    model: str | None
    state: JobState
    attempt: int
    created_at: AwareTime
    started_at: AwareTime | None = None
    finished_at: AwareTime | None = None
    progress: JobProgress | None = None
    result: Any = None
    error: JobError | None = None
    webhook: JobWebhook | None = None

    @property
    def is_finished(self) -> bool:
        """Whether its state is final: succeeded, failed or cancelled."""
        return self.state in ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Label:
    """What turned out to be true of one prediction, which is named by ``id`` and ``row``, or by ``key``.

    Attributes:
        label: A class of the model, or a number for a regression.
        id: The ``id`` of the Answer.
        row: Index of the row within that request, from 0.
        key: The key that the row was sent with.
        at: When it became known: an aware time or RFC 3339 text; now unless given.
        source: Who says so, in your own words.
    """

    label: Scalar
    id: str | None = None
    row: int = 0
    key: str | None = None
    at: datetime | str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class LabelRefusal:
    """A label that was refused: its index among those sent, and why."""

    index: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """What became of the labels of one call; each is counted once, and ``late`` ones once more.

    Attributes:
        matched: Tied to their prediction.
        parked: No such prediction yet; kept, and tied when it comes.
        repeated: Known already, with the same label.
        changed: Known already with another label; the newest ``at`` counts.
        late: Came after the label horizon of the model.
        rejected: Refused, each with its reason.
    """

    matched: int
    parked: int
    repeated: int
    changed: int
    late: int
    rejected: list[LabelRefusal]


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    """How much of what a model predicted has a label; ``coverage`` is labelled / predictions, 0 to 1."""

    predictions: int
    labelled: int
    coverage: float | None
    parked: int
    repeated: int
    changed: int
    delay_p50_seconds: float | None = None
    delay_p95_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class InferenceRow:
    """One recorded row: what came in, what went out, and the label if there is one."""

    row: int
    key: str | None
    inputs: dict[str, Any]
    output: Any
    label: Scalar | None = None
    labelled_at: AwareTime | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """One recorded request.

    Attributes:
        at: When what it is about happened.
        recorded_at: When it was answered.
        role: champion, canary or shadow.
        mode: online or queued.
    """

    id: str
    model: str
    version: str
    at: AwareTime
    recorded_at: AwareTime
    role: str
    mode: str
    rows: list[InferenceRow]


@dataclass(frozen=True, slots=True)
class InferenceSummary:
    """One recorded row in a list of many.

    Attributes:
        score: Probability of the positive class, or the value of a regression.
        predicted: The label that was answered.
    """

    id: str
    row: int
    key: str | None
    model: str
    version: str
    at: AwareTime
    score: float | None = None
    predicted: Scalar | None = None
    label: Scalar | None = None


@dataclass(frozen=True, slots=True)
class ComponentState:
    """How one part of the server is."""

    status: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the server can predict: ready, degraded (it can, something is away) or unavailable."""

    status: Literal["ready", "degraded", "unavailable"]
    components: dict[str, ComponentState] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether it can predict."""
        return self.status != "unavailable"
