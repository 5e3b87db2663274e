"""Service: are requests answered, how fast, by what; is everything recorded; is every part there."""

from deploy.grafana.builder import Dashboard, Need, Panel, Prometheus, Row, Unit, Visual, bad_above, bad_below
from deploy.grafana.definitions.queries import (
    MOVES,
    OF_USERS,
    QUIET,
    quantile,
    quantiles,
    rate,
    rate_or_zero,
)

_SECONDS = "mlp_http_request_duration_seconds"
_STACK = frozenset({Need.STACK})
_OF_FAILED = OF_USERS + ',status=~"5.."'

_REQUEST_RATE = Panel(
    "Requests",
    "Requests of users a second, without health checks and scrapes. A sudden fall with healthy components means that "
    "callers do not get here: look at Traefik on Infrastructure.",
    (Prometheus(rate("mlp_http_requests_total", OF_USERS), "requests"),),
    unit=Unit.REQUESTS_PER_SECOND,
    visual=Visual.NUMBER,
    width=4,
    height=5,
)
_ERROR_RATIO = Panel(
    "Failed",
    "Share of requests answered with a status from 500 up. The promise is at most 0.1 % in 30 days. Above 1 %: see "
    "which route and model below, then `mlp doctor`.",
    (
        Prometheus(
            f"{rate_or_zero('mlp_http_requests_total', _OF_FAILED)} / {rate('mlp_http_requests_total', OF_USERS)}",
            "failed",
        ),
    ),
    unit=Unit.SHARE,
    visual=Visual.NUMBER,
    width=4,
    height=5,
    decimals=2,
    thresholds=bad_above(0.01, 0.001),
)
_SLOW = Panel(
    "99 of 100 answered within",
    "The 99th percentile of all routes of users. Above a second: look at the routes below; one model that became slow "
    "shows on Models.",
    (Prometheus(quantile(0.99, _SECONDS, OF_USERS), "p99"),),
    unit=Unit.SECONDS,
    visual=Visual.NUMBER,
    width=4,
    height=5,
    thresholds=bad_above(1.0, 0.25),
)
_REPLICAS = Panel(
    "Servers up",
    "Replicas of `api` that Prometheus reaches. Fewer than you started: `docker compose ps`, then the log of the one "
    "that is missing.",
    (Prometheus('sum(up{job="api"})', "up"),),
    visual=Visual.NUMBER,
    width=4,
    height=5,
    thresholds=bad_below(1),
)
_RELEASES = Panel(
    "Releases running",
    "Replicas and workers by release. Two releases for longer than an upgrade takes: an upgrade stopped half-way; "
    "finish it or roll back.",
    (Prometheus("count by (version) (mlp_release == 1)", "{{version}}"),),
    unit=Unit.NUMBER,
    visual=Visual.BARS,
    width=4,
    height=5,
    needs=_STACK,
)
_ALERTS = Panel(
    "Alerts",
    "Alerts that fire now. Each has a page in the documentation with three commands: what it means, and the fix.",
    (
        Prometheus(
            'sort_desc(sum by (alertname, severity) (ALERTS{alertstate="firing"}))',
            "{{alertname}} ({{severity}})",
            is_instant=True,
        ),
    ),
    visual=Visual.BARS,
    width=4,
    height=5,
    thresholds=bad_above(1),
    may_be_empty="no alert fires, as it should be",
    no_value="none fires",
)

_BY_STATUS = Panel(
    "Requests by status",
    "2xx is answered, 4xx is refused (a caller's mistake), 5xx is failed. Many 429: callers send more than the queue "
    "takes. 503: a model is still loading, or the database is away.",
    (Prometheus(rate("mlp_http_requests_total", OF_USERS, "status"), "{{status}}"),),
    unit=Unit.REQUESTS_PER_SECOND,
)
_BY_ROUTE = Panel(
    "Requests by route",
    "Which routes are called. The name is the route's template, so that there are few of them.",
    (Prometheus(f"topk(10, {rate('mlp_http_requests_total', OF_USERS, 'method, route')})", "{{method}} {{route}}"),),
    unit=Unit.REQUESTS_PER_SECOND,
)
_FAILED_BY_ROUTE = Panel(
    "Failed by route",
    "Answers with a status from 500 up, by route. One route alone: its model or what it needs. All routes: the "
    "database, or a full disk.",
    (Prometheus(rate("mlp_http_requests_total", _OF_FAILED, "route, status"), "{{route}} {{status}}"),),
    unit=Unit.REQUESTS_PER_SECOND,
    may_be_empty="no request has failed",
    no_value="no failure",
)
_LATENCY = Panel(
    "Latency",
    "From the request line to the last byte, over all routes of users. p50 is what most see; p99 is what one call in "
    "a hundred waits. p99 far above p50 with steady traffic: something blocks now and then, such as a version loading.",
    quantiles(_SECONDS, OF_USERS),
    unit=Unit.SECONDS,
)
_LATENCY_BY_ROUTE = Panel(
    "Latency by route, p95",
    "The slowest routes. Waiting for a job (`?wait=`) is long on purpose.",
    (Prometheus(f"topk(8, {quantile(0.95, _SECONDS, OF_USERS, 'method, route')})", "{{method}} {{route}}"),),
    unit=Unit.SECONDS,
)
_BY_MODEL = Panel(
    "Predictions by model and outcome",
    "Requests for predictions; `success`, or the code of the error. `bad_input` and `signature_mismatch` are a "
    "caller's mistakes, `model_failed` is the model's: its own log line has the traceback.",
    (Prometheus(rate("mlp_inference_requests_total", by="model, outcome"), "{{model}} {{outcome}}"),),
    unit=Unit.REQUESTS_PER_SECOND,
)

_COMPONENTS = Panel(
    "Components",
    "Whether the database, the broker and the cache answer the servers; the least of all replicas. Down: predictions "
    "go on without it, and what is accepted waits. `docker compose ps`, then start it.",
    (Prometheus("min by (component) (mlp_component_up)", "{{component}}"),),
    visual=Visual.NUMBER,
    unit=Unit.PLAIN,
    width=6,
    thresholds=bad_below(1),
    words={0: "down", 1: "up"},
    maximum=1,
    needs=_STACK,
)
_COMPONENT_SECONDS = Panel(
    "Answers of components",
    "How long each took to answer a server's check; the slowest replica. The database above 0.1 s: long transactions "
    "or a busy disk.",
    (Prometheus("max by (component) (mlp_component_check_seconds)", "{{component}}"),),
    unit=Unit.SECONDS,
    width=9,
    thresholds=bad_above(1.0, 0.1),
    needs=_STACK,
)
_PERIODIC = Panel(
    "Periodic work",
    "Failed turns of periodic work such as retention, and (leaders) how many processes do it: one. None for longer "
    "than a minute: no worker holds the lock; see the workers.",
    (
        Prometheus(rate("mlp_periodic_failures_total", by="work"), "failed {{work}}", may_be_empty=QUIET),
        Prometheus("sum(mlp_periodic_leader)", "leaders"),
    ),
    width=9,
    needs=_STACK,
)

_RECORDED = Panel(
    "Recorded and moved",
    "Requests written to the spool before their answer left, and rows moved from there to the database. Moved far "
    "below recorded for minutes: the database is slow or away; the spool then grows.",
    (
        Prometheus(rate("mlp_recorder_requests_total"), "recorded requests"),
        Prometheus(rate("mlp_drain_rows_total"), "moved rows"),
    ),
    unit=Unit.EVENTS_PER_SECOND,
)
_SPOOL = Panel(
    "Spool",
    "Bytes of the spool, which is one volume that every replica measures as a whole. Files are deleted when they are "
    "full and moved, so that a saw of some MiB is well; it grows while the database is away and shrinks after. Beyond "
    "2 GiB (MLP_SPOOL_BYTES_MAX) answers leave no record: bring the database back first.",
    (
        Prometheus("max(mlp_recorder_spool_bytes)", "spool"),
        Prometheus("max(mlp_recorder_spool_limit_bytes)", "limit"),
    ),
    unit=Unit.BYTES,
    thresholds=bad_above(0.8 * 2**31, 2**29),
)
_LOST = Panel(
    "Not recorded, and failed moves",
    "Answered without being recorded (`spool`: no room or no writing), and attempts to move rows that failed. The "
    "first is a loss of history, never of an answer: free some disk. The second is tried again.",
    (
        Prometheus(rate("mlp_recorder_dropped_requests_total", by="reason"), "not recorded: {{reason}}"),
        Prometheus(rate("mlp_drain_failures_total", by="reason"), "move failed: {{reason}}"),
    ),
    unit=Unit.EVENTS_PER_SECOND,
    may_be_empty=QUIET,
    no_value="none",
)
_DISK = Panel(
    "Free disk of servers and workers",
    "Share of the data folder's disk that is free; the least of each kind. Below 10 %: shorten MLP_RETENTION_DAYS, "
    "delete versions that nobody uses, or add disk.",
    (Prometheus("min by (job) (mlp_disk_free_bytes / mlp_disk_size_bytes > 0)", "{{job}}"),),
    unit=Unit.SHARE,
    width=12,
    maximum=1,
    thresholds=bad_below(0.15, 0.1),
    needs=_STACK,
)
_NOTICES = Panel(
    "Notices between processes",
    "Notices that wake whoever waits for a job or a moved alias, by outcome. `dropped`: the cache is away; results and "
    "aliases are then seen within seconds instead of at once.",
    (Prometheus(rate("mlp_notices_total", by="kind, outcome"), "{{kind}} {{outcome}}"),),
    unit=Unit.EVENTS_PER_SECOND,
    width=12,
    needs=_STACK,
)

SERVICE = Dashboard(
    "mlp-service",
    "Service",
    "Are requests answered, how fast, and by what? Open this first.",
    (
        Row("At a glance", (_REQUEST_RATE, _ERROR_RATIO, _SLOW, _REPLICAS, _RELEASES, _ALERTS)),
        Row("Requests", (_BY_STATUS, _BY_ROUTE, _FAILED_BY_ROUTE, _LATENCY, _LATENCY_BY_ROUTE, _BY_MODEL)),
        Row("Components", (_COMPONENTS, _COMPONENT_SECONDS, _PERIODIC)),
        Row("Recording", (_RECORDED, _SPOOL, _LOST, _DISK, _NOTICES)),
    ),
    annotations=(MOVES,),
)
