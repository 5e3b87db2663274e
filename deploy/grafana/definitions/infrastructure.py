"""Infrastructure: RabbitMQ, Traefik, Prometheus itself, and with profile `exporters` PostgreSQL and Redis."""

from deploy.grafana.builder import Dashboard, Need, Panel, Prometheus, Row, Unit, Visual, bad_above, bad_below
from deploy.grafana.definitions.queries import MOVES, quantile, rate

_RABBITMQ = frozenset({Need.RABBITMQ})
_TRAEFIK = frozenset({Need.TRAEFIK})
_EXPORTERS = frozenset({Need.EXPORTERS})
_PROFILE = " Needs profile `exporters`: `docker compose --profile exporters up -d`."
_NO_EXPORTER = "profile exporters is off"

_TARGETS = Panel(
    "Targets up",
    "Programs that Prometheus reaches, the least share of each job. Below 1: `docker compose ps`; the page Targets of "
    "Prometheus says why.",
    (Prometheus("avg by (job) (up)", "{{job}}"),),
    unit=Unit.SHARE,
    visual=Visual.NUMBER,
    width=16,
    height=6,
    maximum=1,
    thresholds=bad_below(1),
)
_SERIES = Panel(
    "Series in Prometheus",
    "Series that Prometheus holds. It grows with models, versions and replicas. Far above 500,000, so does its "
    "memory: delete old models.",
    (Prometheus("max(prometheus_tsdb_head_series)", "series"),),
    visual=Visual.NUMBER,
    width=4,
    height=6,
    thresholds=bad_above(1_000_000, 500_000),
)
_RULES = Panel(
    "Failed rules",
    "Evaluations of rules that failed. Above 0 the alerts cannot be trusted: see the page Rules of Prometheus.",
    (Prometheus("sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval])) or vector(0)", "failures"),),
    unit=Unit.EVENTS_PER_SECOND,
    visual=Visual.NUMBER,
    width=4,
    height=6,
    thresholds=bad_above(0.001),
)
_SCRAPES = Panel(
    "Duration of scrapes",
    "How long the slowest target of each job took to tell its numbers; Prometheus gives up after five seconds.",
    (Prometheus("max by (job) (scrape_duration_seconds)", "{{job}}"),),
    unit=Unit.SECONDS,
    width=12,
)
_STORAGE = Panel(
    "Prometheus' disk and memory",
    "Its blocks on disk (the first after two hours), and its memory. They settle once the retention is reached; memory "
    "near its container's limit: fewer series, or raise PROMETHEUS_MEMORY.",
    (
        Prometheus("max(prometheus_tsdb_storage_blocks_bytes)", "blocks"),
        Prometheus('max(process_resident_memory_bytes{job="prometheus"})', "memory"),
    ),
    unit=Unit.BYTES,
    width=12,
)

_ALARMS = Panel(
    "RabbitMQ's alarms",
    "Memory and disk alarms. With either, RabbitMQ takes no message from anybody: jobs are accepted and wait. Memory: "
    "raise RABBITMQ_MEMORY. Disk: make room.",
    (
        Prometheus("max(rabbitmq_alarms_memory_used_watermark)", "memory"),
        Prometheus("max(rabbitmq_alarms_free_disk_space_watermark)", "disk"),
    ),
    unit=Unit.PLAIN,
    visual=Visual.NUMBER,
    width=6,
    thresholds=bad_above(1),
    words={0: "well", 1: "alarm"},
    needs=_RABBITMQ,
)
_RABBITMQ_MEMORY = Panel(
    "RabbitMQ's memory",
    "Used, and the limit at which it blocks publishers. Used near the limit: wake-ups that nobody takes (see Queue "
    "and workers), or raise RABBITMQ_MEMORY.",
    (
        Prometheus("max(rabbitmq_process_resident_memory_bytes)", "used"),
        Prometheus("max(rabbitmq_resident_memory_limit_bytes)", "limit"),
    ),
    unit=Unit.BYTES,
    width=9,
    needs=_RABBITMQ,
)
_RABBITMQ_DISK = Panel(
    "RabbitMQ's disk",
    "Free, and the limit below which it blocks publishers. The lines must not meet.",
    (
        Prometheus("min(rabbitmq_disk_space_available_bytes)", "free"),
        Prometheus("max(rabbitmq_disk_space_available_limit_bytes)", "limit"),
    ),
    unit=Unit.BYTES,
    width=9,
    needs=_RABBITMQ,
)
_MESSAGES = Panel(
    "Messages in RabbitMQ",
    "Ready for a worker, and taken but not confirmed, of all queues.",
    (
        Prometheus("sum(rabbitmq_queue_messages_ready)", "ready"),
        Prometheus("sum(rabbitmq_queue_messages_unacked)", "taken"),
    ),
    needs=_RABBITMQ,
)
_MESSAGE_RATES = Panel(
    "Messages through RabbitMQ",
    "Received from servers, confirmed to them, and redelivered because a worker was gone before it confirmed. "
    "Redelivered above 0 for long: workers die; see their memory limit.",
    (
        Prometheus(rate("rabbitmq_global_messages_received_total"), "received"),
        Prometheus(rate("rabbitmq_global_messages_confirmed_total"), "confirmed"),
        Prometheus(rate("rabbitmq_global_messages_redelivered_total"), "redelivered"),
    ),
    unit=Unit.MESSAGES_PER_SECOND,
    needs=_RABBITMQ,
)
_CONNECTIONS = Panel(
    "Connections of RabbitMQ",
    "Connections, channels and consumers. A steady climb: somebody opens and never closes.",
    (
        Prometheus("sum(rabbitmq_connections)", "connections"),
        Prometheus("sum(rabbitmq_channels)", "channels"),
        Prometheus("sum(rabbitmq_consumers)", "consumers"),
    ),
    needs=_RABBITMQ,
)

_PROXY_REQUESTS = Panel(
    "Requests at Traefik",
    "What came to the door, by entry point and status. 502 or 504 here and nothing on Service: Traefik does not reach "
    "the servers.",
    (Prometheus(rate("traefik_entrypoint_requests_total", by="entrypoint, code"), "{{entrypoint}} {{code}}"),),
    unit=Unit.REQUESTS_PER_SECOND,
    needs=_TRAEFIK,
)
_PROXY_LATENCY = Panel(
    "Latency at Traefik, p95",
    "By service, the way to it and back included. Far above Service's own latency: slow callers, or a full machine. "
    "Interpolated within Traefik's own few buckets.",
    (Prometheus(quantile(0.95, "traefik_service_request_duration_seconds", by="service"), "{{service}}"),),
    unit=Unit.SECONDS,
    needs=_TRAEFIK,
)
_PROXY_CONNECTIONS = Panel(
    "Open connections at Traefik",
    "Connections by entry point. A climb with steady requests: callers that do not close, or streams of events.",
    (Prometheus("sum by (entrypoint) (traefik_open_connections)", "{{entrypoint}}"),),
    needs=_TRAEFIK,
)

_POSTGRES_UP = Panel(
    "PostgreSQL and Redis (profile exporters)",
    "Whether the exporters reach them." + _PROFILE,
    (
        Prometheus("min(pg_up)", "PostgreSQL"),
        Prometheus("min(redis_up)", "Redis"),
    ),
    unit=Unit.PLAIN,
    visual=Visual.NUMBER,
    width=6,
    thresholds=bad_below(1),
    words={0: "down", 1: "up"},
    needs=_EXPORTERS,
    no_value=_NO_EXPORTER,
)
_POSTGRES_CONNECTIONS = Panel(
    "Connections of PostgreSQL (profile exporters)",
    "Connections, and the most it takes. Near the limit: fewer processes, or raise max_connections." + _PROFILE,
    (
        Prometheus("sum(pg_stat_database_numbackends)", "used"),
        Prometheus("max(pg_settings_max_connections)", "limit"),
    ),
    width=9,
    needs=_EXPORTERS,
    no_value=_NO_EXPORTER,
)
_POSTGRES_SIZE = Panel(
    "Size of databases (profile exporters)",
    "Bytes by database. It settles when MLP_RETENTION_DAYS has passed once." + _PROFILE,
    (Prometheus('max by (datname) (pg_database_size_bytes{datname!~"template.*"})', "{{datname}}"),),
    unit=Unit.BYTES,
    width=9,
    needs=_EXPORTERS,
    no_value=_NO_EXPORTER,
)
_POSTGRES_WORK = Panel(
    "Transactions (profile exporters)",
    "Committed and rolled back a second, and deadlocks. Rolled back above a tenth: errors in the log of the servers."
    + _PROFILE,
    (
        Prometheus("sum(rate(pg_stat_database_xact_commit[$__rate_interval]))", "committed"),
        Prometheus("sum(rate(pg_stat_database_xact_rollback[$__rate_interval]))", "rolled back"),
        Prometheus("sum(rate(pg_stat_database_deadlocks[$__rate_interval]))", "deadlocks"),
    ),
    unit=Unit.OPERATIONS_PER_SECOND,
    needs=_EXPORTERS,
    no_value=_NO_EXPORTER,
)
_POSTGRES_CACHE = Panel(
    "Reads from PostgreSQL's memory (profile exporters)",
    "Share of blocks found in PostgreSQL's own memory. Below 0.9 under load: give the database more." + _PROFILE,
    (
        Prometheus(
            "sum(rate(pg_stat_database_blks_hit[$__rate_interval])) "
            "/ (sum(rate(pg_stat_database_blks_hit[$__rate_interval])) "
            "+ sum(rate(pg_stat_database_blks_read[$__rate_interval])))",
            "from memory",
        ),
    ),
    unit=Unit.SHARE,
    maximum=1,
    needs=_EXPORTERS,
    no_value=_NO_EXPORTER,
)
_REDIS = Panel(
    "Redis (profile exporters)",
    "Commands a second, and clients. Redis is a bell and a cache: losing it loses nothing." + _PROFILE,
    (
        Prometheus("sum(rate(redis_commands_processed_total[$__rate_interval]))", "commands a second"),
        Prometheus("max(redis_connected_clients)", "clients"),
    ),
    needs=_EXPORTERS,
    no_value=_NO_EXPORTER,
)
_REDIS_MEMORY = Panel(
    "Memory of Redis (profile exporters)",
    "Bytes that Redis uses. It holds notices alone: more than a few MiB is somebody else's." + _PROFILE,
    (Prometheus("max(redis_memory_used_bytes)", "used"),),
    unit=Unit.BYTES,
    width=24,
    height=6,
    needs=_EXPORTERS,
    no_value=_NO_EXPORTER,
)

INFRASTRUCTURE = Dashboard(
    "mlp-infrastructure",
    "Infrastructure",
    "Are the parts below the service well: broker, proxy, Prometheus, database, cache?",
    (
        Row("Prometheus", (_TARGETS, _SERIES, _RULES, _SCRAPES, _STORAGE)),
        Row("RabbitMQ", (_ALARMS, _RABBITMQ_MEMORY, _RABBITMQ_DISK, _MESSAGES, _MESSAGE_RATES, _CONNECTIONS)),
        Row("Traefik", (_PROXY_REQUESTS, _PROXY_LATENCY, _PROXY_CONNECTIONS)),
        Row(
            "PostgreSQL and Redis (profile exporters)",
            (
                _POSTGRES_UP,
                _POSTGRES_CONNECTIONS,
                _POSTGRES_SIZE,
                _POSTGRES_WORK,
                _POSTGRES_CACHE,
                _REDIS,
                _REDIS_MEMORY,
            ),
        ),
    ),
    annotations=(MOVES,),
)
