"""Makes the metrics and renders them for Prometheus, right with one process and with several.

Names follow ``mlp_<domain>_<thing>_<unit>``; labels are bounded and never ids. With several processes
prometheus_client keeps every process's numbers in files (its multiprocess mode, chosen by an environment variable
that ``mlp serve`` sets before any child starts) and the scrape adds them up.
"""

from collections.abc import Sequence
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds; from a tenth of a millisecond, since a small model answers in less than one.
LATENCY_BUCKETS_SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip

# A second series per counter, which Prometheus' text form has no use for.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """A number that only grows; added up over processes."""
    return Counter(name, text, labels, registry=REGISTRY)


def gauge(name: str, text: str, labels: Sequence[str] = (), *, is_summed: bool = True) -> Gauge:
    """A number that goes up and down; over the processes that live it is added up, or the greatest is taken."""
    mode: Literal["livesum", "livemax"] = "livesum" if is_summed else "livemax"
    return Gauge(name, text, labels, registry=REGISTRY, multiprocess_mode=mode)


def histogram(
    name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS_SECONDS
) -> Histogram:
    """Counts of observations by size; added up over processes."""
    return Histogram(name, text, labels, registry=REGISTRY, buckets=buckets)


def render() -> bytes:
    """All metrics in Prometheus' text form (exposition format 0.0.4), of every process of this server."""
    if values.ValueClass is values.MutexValue:
        return generate_latest(REGISTRY)
    gathered = CollectorRegistry()
    multiprocess.MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
    return generate_latest(gathered)


def forget_process(pid: int) -> None:
    """Drop the gauges of a process that is gone; its counts stay, as Prometheus expects of counters."""
    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
