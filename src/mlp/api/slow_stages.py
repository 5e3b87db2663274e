"""Which stage of a model, or of its jobs, has become slow: the last minutes against the hour before, by Prometheus.

Means, not quantiles: a bucket of these histograms is two and a half times as wide as the one before it, and a
doubling may stay inside one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlp.api.reaching import NoAnswer, Trouble
from mlp.client.examination import Cause, Status

#: What counts as slow: this many times the mean of the hour before, and a stage's own least difference.
SLOW_FACTOR = 2.0
#: With fewer observations in the last minutes a mean says nothing.
OBSERVATIONS_MIN = 20
_NOW = "5m"
_TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One histogram.

    Attributes:
        label: What it is told apart by.
        slower_seconds_min: A difference that nobody would notice is none.
        remedy: With ``{model}`` for the name of the model.
    """

    metric: str
    label: str
    meaning: str
    slower_seconds_min: float
    remedy: str


STAGES = (
    Stage(
        "mlp_inference_call_seconds",
        "version",
        "a call of the model",
        0.005,
        "see what has changed: mlp models history {model}; if it came with a version: mlp models rollback {model}",
    ),
    Stage(
        "mlp_inference_queue_seconds",
        "model",
        "waiting for the model to be free",
        0.005,
        "more servers: docker compose up -d --scale api=2",
    ),
    Stage(
        "mlp_inference_duration_seconds",
        "model",
        "a request",
        0.01,
        "see which stage: the Server-Timing of a prediction, or the dashboard Models",
    ),
    Stage(
        "mlp_job_wait_seconds",
        "kind",
        "waiting for a worker",
        1.0,
        "more workers: docker compose up -d --scale worker=2; mlp queues list",
    ),
    Stage("mlp_job_run_seconds", "kind", "running a job", 0.1, "docker compose logs --tail 50 worker"),
)


def slow_stages(prometheus_url: str) -> list[Cause]:
    """A cause for each stage that has become slow; a request that is slow by a stage of its own is told once.

    Raises:
        NoAnswer: Prometheus does not answer, or knows no such query.
    """
    causes = [cause for stage in STAGES for cause in _slow(prometheus_url, stage)]
    explained = {_model_of(cause.subject) for cause in causes if not cause.detail.startswith("a request ")}
    return [
        cause
        for cause in causes
        if not (cause.detail.startswith("a request ") and _model_of(cause.subject) in explained)
    ]


def mixed_releases(prometheus_url: str) -> list[Cause]:
    """A cause if servers of several releases answer at the same time.

    Raises:
        NoAnswer: As slow_stages().
    """
    releases = _ask(prometheus_url, "count by (version) (mlp_release == 1)", "version")
    if len(releases) < 2:
        return []
    detail = "servers and workers of " + ", ".join(f"{name} ({count:.0f})" for name, count in sorted(releases.items()))
    return [
        Cause("versions", "processes", Status.WARNING, detail, "docker compose build; docker compose up -d api worker")
    ]


def _slow(prometheus_url: str, stage: Stage) -> Iterator[Cause]:
    counts = _ask(prometheus_url, f"sum by ({stage.label}) (increase({stage.metric}_count[{_NOW}]))", stage.label)
    busy = {name for name, count in counts.items() if count >= OBSERVATIONS_MIN}
    if not busy:
        return
    recent = _ask(prometheus_url, _mean(stage, f"[{_NOW}]"), stage.label)
    before = _ask(prometheus_url, _mean(stage, f"[1h] offset {_NOW}"), stage.label)
    for name in sorted(busy & recent.keys() & before.keys()):
        is_slow = recent[name] > SLOW_FACTOR * before[name]
        if is_slow and recent[name] - before[name] > stage.slower_seconds_min:
            detail = f"{stage.meaning} takes {_span(recent[name])}, and took {_span(before[name])} in the hour before"
            remedy = stage.remedy.format(model=_model_of(name))
            yield Cause("stage", name, Status.WARNING, detail, remedy)


def _mean(stage: Stage, window: str) -> str:
    sums, counts = (f"sum by ({stage.label}) (rate({stage.metric}_{part}{window}))" for part in ("sum", "count"))
    return f"{sums} / {counts}"


def _ask(prometheus_url: str, query: str, label: str) -> dict[str, float]:
    """The values of an instant query by one label; what is no number, as 0 / 0, is left out."""
    import urllib3

    try:
        response = urllib3.request(
            "GET",
            f"{prometheus_url}/api/v1/query",
            fields={"query": query},
            timeout=_TIMEOUT_SECONDS,
            retries=False,
        )
        document: Any = response.json()
        rows = document["data"]["result"]
        values = {row["metric"].get(label, ""): float(row["value"][1]) for row in rows}
    except urllib3.exceptions.HTTPError as error:
        raise NoAnswer(Trouble.OTHER, f"Prometheus: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NoAnswer(Trouble.OTHER, f"Prometheus does not answer the query {query}") from error
    return {name: value for name, value in values.items() if value == value}


def _model_of(name: str) -> str:
    return name.partition("/")[0]


def _span(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
