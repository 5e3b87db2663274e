"""The Python client: predictions, labels, and what the monitor knows; ``models``, ``jobs``, ``batches``, ``workers``
and ``queues`` for the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import TracebackType
from typing import Any, Literal

from mlp.client.batches import BatchesClient
from mlp.client.examination import Examination
from mlp.client.exchange import Exchange, Moment, decoded, moment_text, path_of
from mlp.client.fleet import QueuesClient, WorkersClient
from mlp.client.jobs import JobsClient
from mlp.client.models import ModelsClient
from mlp.client.reports import Drift, Quality
from mlp.client.results import Answer, FeedbackReport, FeedbackSummary, Inference, InferenceSummary, Label, Readiness
from mlp.client.rows import Rows, json_rows
from mlp.client.transport import HTTPTransport, Transport
from mlp.errors import BadInput

DEFAULT_URL = "http://localhost:4789"

Period = Literal["day", "week", "month"]
# The most labels that the server takes in one request.
_LABELS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _InferencePage:
    inferences: list[InferenceSummary]
    next: str | None = None


class Client:
    """A server, ready to be called. Safe for use by several threads; a context manager that closes it.

    Args:
        url: Where the server is; ``MLP_URL`` unless given, else ``http://localhost:4789``.
        api_key: The server's key; ``MLP_API_KEY`` unless given.
        timeout_seconds: Longest silence of the server that a call accepts; 30 is that of a prediction on its side.
        transport: Carries the requests instead of HTTP; ``url`` then has no meaning.

    Raises:
        mlp.errors.BadInput: ``url`` is not an address.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        transport: Transport | None = None,
    ) -> None:
        if transport is None:
            if url is None or api_key is None:
                url, api_key = _from_settings(url, api_key)
            transport = HTTPTransport(url)
        self._exchange = Exchange(transport, api_key, timeout_seconds)
        self.jobs = JobsClient(self._exchange)
        self.models = ModelsClient(self._exchange, self.jobs)
        self.batches = BatchesClient(self._exchange, self.models)
        self.workers = WorkersClient(self._exchange)
        self.queues = QueuesClient(self._exchange)

    def predict(
        self,
        model: str,
        rows: Rows,
        *,
        keys: Sequence[str | None] | None = None,
        version: str | None = None,
        at: Moment | None = None,
    ) -> Answer:
        """The model's answer for the rows, one prediction each, in their order.

        Args:
            model: Name of the model.
            rows: A DataFrame, an array [rows, inputs], a list of dicts by input name, or a list of lists in the
                order of the signature. NaN, NaT and None are missing values.
            keys: Your own names of the rows, one each, by which labels can refer to them later.
            version: Number or alias; the model's traffic decides unless given.
            at: When what the rows are about happened, for replays; now unless given.

        Raises:
            mlp.errors.SignatureMismatch: A row does not fit; names row and input.
            mlp.errors.UnknownModel: There is no such model; likewise UnknownVersion.
            mlp.errors.Unavailable: Not now; a subclass says why.
        """
        body: dict[str, Any] = {"rows": json_rows(rows)}
        if keys is not None:
            body["keys"] = list(keys)
        if at is not None:
            body["at"] = moment_text(at)
        segments = ("predict",) if version is None else ("versions", version, "predict")
        return self._exchange.call(Answer, "POST", path_of("v1", "models", model, *segments), json=body)

    def feedback(self, model: str, labels: Iterable[Label], *, check: bool = False) -> FeedbackReport:
        """What became of the labels; once it is returned they are kept, and sending them again does no harm.

        More than 10,000 labels are sent in several requests. ``rejected`` counts from the first label of all.

        Args:
            check: Only tell what would become of them; nothing is written.

        Raises:
            mlp.errors.BadInput: A label names its prediction not by either id or key, or its time has no zone.
            mlp.errors.UnknownModel: There is no such model.
        """
        report = FeedbackReport(0, 0, 0, 0, 0, [])
        remaining = iter(labels)
        sent = 0
        while chunk := list(islice(remaining, _LABELS_MAX)):
            body = {
                "model": model,
                "labels": [_label_json(label, sent + index) for index, label in enumerate(chunk)],
                "check": check,
            }
            answer = self._exchange.call(FeedbackReport, "POST", "/v1/feedback", json=body)
            report = _added(report, answer, sent)
            sent += len(chunk)
        return report

    def feedback_summary(self, model: str) -> FeedbackSummary:
        """How much of what the model predicted has a label, and how late labels come."""
        return self._exchange.call(FeedbackSummary, "GET", path_of("v1", "models", model, "feedback", "summary"))

    def quality(
        self,
        model: str,
        *,
        by: Period | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        as_of: Moment | None = None,
        version: str | None = None,
    ) -> Quality:
        """Quality of the model over time, from the labels that are known.

        Args:
            by: Length of a window.
            since: Predictions from then on, inclusive; ``until`` exclusive.
            as_of: Only labels that were known at that moment.
            version: Only predictions of that version.
        """
        query = {"by": by, "since": since, "until": until, "as_of": as_of, "version": version}
        return self._exchange.call(Quality, "GET", path_of("v1", "models", model, "quality"), query=query)

    def drift(
        self,
        model: str,
        *,
        by: Period | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        version: str | None = None,
    ) -> Drift:
        """How far the model's inputs have moved from the rows that it was trained on; arguments as for quality."""
        query = {"by": by, "since": since, "until": until, "version": version}
        return self._exchange.call(Drift, "GET", path_of("v1", "models", model, "drift"), query=query)

    def inference(self, inference_id: str) -> Inference:
        """One recorded request with its rows, answers and labels.

        Raises:
            mlp.errors.UnknownInference: None of this id is recorded, or not any more.
        """
        return self._exchange.call(Inference, "GET", path_of("v1", "inferences", inference_id))

    def inferences(
        self,
        model: str | None = None,
        *,
        key: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int | None = 50,
    ) -> list[InferenceSummary]:
        """Recorded rows, newest first; at most ``limit``, None for all."""
        query = {"model": model, "key": key, "since": since, "until": until}
        pages = self._exchange.pages(_InferencePage, "/v1/inferences", query, limit)
        return [row for page in pages for row in page.inferences]

    def ready(self) -> Readiness:
        """Whether the server can predict, and what of it is away; an answer also when it cannot.

        Raises:
            mlp.errors.ServerUnreachable: No server is there at all.
        """
        response = self._exchange.send("GET", "/health/ready", statuses=frozenset({200, 503}))
        return decoded(response, Readiness, "GET /health/ready")

    def examination(self) -> Examination:
        """What the server finds wrong with itself and with what is beside it; takes it some seconds."""
        return self._exchange.call(Examination, "GET", "/v1/examination")

    def close(self) -> None:
        """Give back the connections; may be called twice."""
        self._exchange.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _from_settings(url: str | None, api_key: str | None) -> tuple[str, str | None]:
    """Address and key with what is not given taken from the settings of this process."""
    # Imported here since a client that is told both needs no settings, which take as long to import as all else.
    from mlp.config import Settings

    settings = Settings()
    if url is None:
        url = DEFAULT_URL if settings.url is None else settings.url
    if api_key is None and settings.api_key is not None:
        api_key = settings.api_key.get_secret_value()
    return url, api_key


def _label_json(label: Label, index: int) -> dict[str, Any]:
    if (label.id is None) == (label.key is None):
        raise BadInput(f"label {index}: name its prediction by either id or key")
    target = {"key": label.key} if label.id is None else {"id": label.id, "row": label.row}
    more = {"at": None if label.at is None else moment_text(label.at), "source": label.source}
    return {**target, "label": label.label, **{name: value for name, value in more.items() if value is not None}}


def _added(report: FeedbackReport, more: FeedbackReport, offset: int) -> FeedbackReport:
    return FeedbackReport(
        report.matched + more.matched,
        report.parked + more.parked,
        report.repeated + more.repeated,
        report.changed + more.changed,
        report.late + more.late,
        report.rejected + [replace(refusal, index=refusal.index + offset) for refusal in more.rejected],
    )
