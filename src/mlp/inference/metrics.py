"""Metrics of inference: requests by outcome, where the time went, batches, recording and the drain."""

from functools import cache

from prometheus_client import Counter, Histogram

from mlp.observability.metrics import counter, gauge, histogram

_ROWS_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)

requests = counter("mlp_inference_requests_total", "Prediction requests by outcome.", ("model", "version", "outcome"))
rows = counter("mlp_inference_rows_total", "Rows predicted.", ("model", "version"))
duration = histogram("mlp_inference_duration_seconds", "From a request's arrival to its answer.", ("model",))
queue_seconds = histogram("mlp_inference_queue_seconds", "Waiting for the model to be free.", ("model",))
call_seconds = histogram("mlp_inference_call_seconds", "One call of a model.", ("version",))
batch_rows = histogram("mlp_inference_batch_rows", "Rows in one call of a model.", ("version",), _ROWS_BUCKETS)
unknown_categories = counter(
    "mlp_inference_unknown_categories_total", "Values outside a category that were let through.", ("model",)
)
loaded_versions = gauge("mlp_inference_loaded_versions", "Versions in memory.")
recorded_requests = counter("mlp_recorder_requests_total", "Requests written to the spool, whatever their rows.")
dropped_requests = counter(
    "mlp_recorder_dropped_requests_total", "Requests answered without being recorded.", ("reason",)
)
# Each process measures the whole of the spool's folder.
spool_bytes = gauge(
    "mlp_recorder_spool_bytes", "Bytes in the spool, not yet known to be in the database.", is_summed=False
)
spool_limit_bytes = gauge("mlp_recorder_spool_limit_bytes", "Bytes that one process's spool may take.", is_summed=False)
drained_rows = counter("mlp_drain_rows_total", "Rows moved from the spool to the database.")
drain_failures = counter("mlp_drain_failures_total", "Attempts to move rows that failed.", ("reason",))


@cache
def _call_metrics(version: str) -> tuple[Histogram, Histogram]:
    return call_seconds.labels(version), batch_rows.labels(version)


def observe_call(version: str, row_count: int, seconds: float) -> None:
    """Count one call of a model; ``version`` is ``name/number``."""
    seconds_of, rows_of = _call_metrics(version)
    seconds_of.observe(seconds)
    rows_of.observe(row_count)


@cache
def _answer_metrics(model: str, version: str) -> tuple[Counter, Counter, Histogram, Histogram]:
    return (
        requests.labels(model, version, "success"),
        rows.labels(model, version),
        duration.labels(model),
        queue_seconds.labels(model),
    )


def observe_answer(model: str, version: str, row_count: int, seconds: float, queued_seconds: float) -> None:
    """Count one answered request."""
    requests_of, rows_of, duration_of, queued_of = _answer_metrics(model, version)
    requests_of.inc()
    rows_of.inc(row_count)
    duration_of.observe(seconds)
    queued_of.observe(queued_seconds)
