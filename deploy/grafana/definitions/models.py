"""Models: who is asked, how fast, how well by the labels that came, whether inputs moved, and who moved an alias."""

from deploy.grafana.builder import Dashboard, Panel, Prometheus, Row, Unit
from deploy.grafana.definitions.model_quality import (
    ALIASES,
    DRIFT,
    LABELLED,
    LATEST_MOVES,
    MEAN_ERROR,
    MEAN_SCORE,
    PARKED,
    RIGHT,
    ROWS_BY_DAY,
    VERSIONS,
)
from deploy.grafana.definitions.queries import MODEL, MOVES, QUIET, quantile, quantiles, rate

_OF_MODEL = 'model=~"$model"'
#: Where the label ``version`` is ``name/number``.
_OF_VERSION = 'version=~"$model/.*"'

_TRAFFIC = Panel(
    "Requests by version",
    "Requests for predictions by model and version, `shadow_…` outcomes left out. After a promotion the new version "
    "takes over within two seconds; a canary gets its share.",
    (
        Prometheus(
            rate("mlp_inference_requests_total", _OF_MODEL + ',outcome!~"shadow_.*"', "model, version"),
            "{{model}}/{{version}}",
        ),
    ),
    unit=Unit.REQUESTS_PER_SECOND,
    is_stacked=True,
)
_ROWS = Panel(
    "Rows by version",
    "Rows predicted a second; a request may hold many.",
    (Prometheus(rate("mlp_inference_rows_total", _OF_MODEL, "model, version"), "{{model}}/{{version}}"),),
    unit=Unit.ROWS_PER_SECOND,
)
_ERRORS = Panel(
    "Requests without an answer",
    "Requests that ended in an error, by its code, and shadows that failed. `model_failed`: the version's own code; "
    "roll back with `mlp models rollback NAME`.",
    (
        Prometheus(
            rate("mlp_inference_requests_total", _OF_MODEL + ',outcome!="success"', "model, version, outcome"),
            "{{model}}/{{version}} {{outcome}}",
        ),
    ),
    unit=Unit.REQUESTS_PER_SECOND,
    may_be_empty="every request was answered",
    no_value="none",
)
_LATENCY = Panel(
    "Latency of predictions",
    "From a request's arrival to its answer, of the models chosen. Compare with the two panels beside it: waiting for "
    "the model means too much traffic for one process; a slow call means a slow model.",
    quantiles("mlp_inference_duration_seconds", _OF_MODEL),
    unit=Unit.SECONDS,
)
_WAITING = Panel(
    "Waiting for the model, p95",
    "How long requests waited for the model to be free. It grows with traffic before anything else does: add servers "
    "(`--scale api=2`).",
    (Prometheus(quantile(0.95, "mlp_inference_queue_seconds", _OF_MODEL, "model"), "{{model}}"),),
    unit=Unit.SECONDS,
)
_CALL = Panel(
    "One call of the model, p95",
    "How long a call took, whatever its rows, by version. A new version far above the old one: see its requirements "
    "and threads.",
    (Prometheus(quantile(0.95, "mlp_inference_call_seconds", _OF_VERSION, "version"), "{{version}}"),),
    unit=Unit.SECONDS,
)
_BATCH = Panel(
    "Rows in one call",
    "Mean rows that a call gathered. 1 with little traffic is well: nobody waits. At the setting MLP_BATCH_ROWS_MAX "
    "the model is the bottleneck.",
    (
        Prometheus(
            f"{rate('mlp_inference_batch_rows_sum', _OF_VERSION, 'version')} "
            f"/ {rate('mlp_inference_batch_rows_count', _OF_VERSION, 'version')}",
            "{{version}}",
        ),
    ),
    unit=Unit.NUMBER,
)
_LOADED = Panel(
    "Versions in memory",
    "Versions loaded by a server or worker, summed up over its processes; the one with the most. It grows with models, "
    "aliases and canaries, and each costs memory.",
    (Prometheus("max by (job) (mlp_inference_loaded_versions)", "{{job}}"),),
)
_UNKNOWN = Panel(
    "Values outside a category",
    "Values that the signature does not list and that were let through. A sudden rise: a caller sends something new; "
    "the model has never seen it.",
    (Prometheus(rate("mlp_inference_unknown_categories_total", _OF_MODEL, "model"), "{{model}}"),),
    unit=Unit.EVENTS_PER_SECOND,
    may_be_empty=QUIET,
    no_value="none",
)
_LABELS = Panel(
    "Labels by what became of them",
    "What became of labels when they came: `matched` is the first of its prediction, `parked` waits for a prediction "
    "of that key (also one on its way to the database), `changed` replaced another, `repeated` counts nothing, "
    "`rejected` was refused. Parked for good, in the table beside: the keys do not agree.",
    (Prometheus(rate("mlp_feedback_labels_total", _OF_MODEL, "state"), "{{state}}"),),
    unit=Unit.EVENTS_PER_SECOND,
)
_DELAY = Panel(
    "Delay of labels",
    "From the predicted event to its label. If p95 is beyond MLP_LABEL_HORIZON_SECONDS, quality is shown as complete "
    "too early: raise that setting.",
    quantiles("mlp_feedback_label_delay_seconds", _OF_MODEL),
    unit=Unit.SECONDS,
)

MODELS = Dashboard(
    "mlp-models",
    "Models",
    "Which versions answer, how fast, how well by their labels, and did the inputs move?",
    (
        Row("Traffic", (_TRAFFIC, _ROWS, _ERRORS)),
        Row("Speed", (_LATENCY, _WAITING, _CALL, _BATCH, _LOADED, _UNKNOWN)),
        Row("Quality by day", (LABELLED, RIGHT, MEAN_ERROR, MEAN_SCORE, ROWS_BY_DAY, DRIFT)),
        Row("Feedback", (_LABELS, _DELAY, PARKED)),
        Row("Versions", (LATEST_MOVES, ALIASES, VERSIONS)),
    ),
    variables=(MODEL,),
    annotations=(MOVES,),
    # Its queries read days of rows: once a minute is often enough.
    refresh="1m",
)
