"""Queue and workers: what waits, for how long, who takes it, and what went wrong."""

from deploy.grafana.builder import (
    Dashboard,
    Need,
    Panel,
    Postgres,
    Prometheus,
    Row,
    Unit,
    Visual,
    bad_above,
    bad_below,
)
from deploy.grafana.definitions.queries import MOVES, QUIET, of_rows, quantiles, rate

_STACK = frozenset({Need.STACK})
_WORKER = frozenset({Need.STACK, Need.WORKER})
_BROKER = frozenset({Need.RABBITMQ})

_WAITING = Panel(
    "Waiting",
    "Jobs that are queued, in all queues. It may be large while a batch is worked off; what matters is whether the "
    "oldest job grows older.",
    (Prometheus('sum(max by (queue) (mlp_jobs{job="api",state="queued"}))', "queued"),),
    visual=Visual.NUMBER,
    width=4,
    height=5,
    needs=_STACK,
)
_OLDEST = Panel(
    "Oldest waiting job",
    "How long the job has waited that has waited longest and may run now. Above a minute: more workers "
    "(`docker compose up -d --scale worker=4`), or a queue that nobody takes, below.",
    (Prometheus(f"max({of_rows('mlp_jobs_oldest_queued_seconds')})", "oldest"),),
    unit=Unit.SECONDS,
    visual=Visual.NUMBER,
    width=4,
    height=5,
    thresholds=bad_above(300, 60),
    needs=_STACK,
)
_WORKERS = Panel(
    "Workers",
    "Workers that were heard of in the last 15 seconds. None: jobs are accepted and wait. `docker compose ps worker`, "
    "then its log.",
    (Prometheus(of_rows("mlp_workers"), "workers"),),
    visual=Visual.NUMBER,
    width=4,
    height=5,
    thresholds=bad_below(1),
    needs=_WORKER,
)
_UNPUBLISHED = Panel(
    "Not yet at the broker",
    "Queued jobs whose wake-up RabbitMQ has not confirmed. Above 0 for long: RabbitMQ is away or refuses; the jobs are "
    "safe in the database, and the sweep sends them when it is back.",
    (Prometheus(of_rows("mlp_jobs_unpublished"), "unpublished"),),
    visual=Visual.NUMBER,
    width=4,
    height=5,
    thresholds=bad_above(1000, 1),
    needs=_STACK,
)
_FAILED_SHARE = Panel(
    "Failed jobs",
    "Share of finished jobs that failed. The reasons are in the table below; the same reason again and again is a "
    "caller's input or a broken version.",
    (
        Prometheus(
            '(sum(rate(mlp_jobs_finished_total{outcome="failed"}[$__rate_interval])) or vector(0)) '
            "/ sum(rate(mlp_jobs_finished_total[$__rate_interval]))",
            "failed",
        ),
    ),
    unit=Unit.SHARE,
    visual=Visual.NUMBER,
    width=4,
    height=5,
    thresholds=bad_above(0.05, 0.01),
)
_UNTAKEN = Panel(
    "Queues that nobody takes",
    "Queues with waiting jobs and no worker that takes them. Start a worker with that queue in CELERY_QUEUE, or leave "
    "it empty: a worker then takes every queue.",
    (
        Prometheus(
            'count(max by (queue) (mlp_jobs{job="api",state="queued"}) > 0 '
            'unless max by (queue) (mlp_queue_workers{job="api"}) > 0) or vector(0)',
            "queues",
        ),
    ),
    visual=Visual.NUMBER,
    width=4,
    height=5,
    thresholds=bad_above(1),
    needs=_STACK,
)

_DEPTH = Panel(
    "Jobs by queue and state",
    "Queued and running jobs, by the queue that workers take them from. Queued grows while running is flat: too few "
    "workers.",
    (Prometheus(of_rows("mlp_jobs", "queue, state"), "{{queue}} {{state}}"),),
    needs=_STACK,
)
_TROUBLED = Panel(
    "Retrying, and dead",
    "Jobs that were begun before and wait for another attempt, and jobs that failed in the last hour. `mlp jobs list "
    "--state failed` shows them, `mlp jobs retry --state failed` does them again.",
    (
        Prometheus(of_rows("mlp_jobs_retrying"), "retrying"),
        Prometheus(of_rows("mlp_jobs_failed_last_hour"), "failed in the last hour"),
    ),
    needs=_STACK,
)
_AGE = Panel(
    "Oldest waiting job by queue",
    "A straight rise on one queue alone: nobody takes that queue, or it is paused (`mlp queues list`).",
    (Prometheus(of_rows("mlp_jobs_oldest_queued_seconds", "queue"), "{{queue}}"),),
    unit=Unit.SECONDS,
    thresholds=bad_above(300, 60),
    needs=_STACK,
)
_FLOW = Panel(
    "Accepted and finished",
    "Jobs accepted and finished a second, by outcome. Finished below accepted for long: the queue grows.",
    (
        Prometheus(rate("mlp_jobs_accepted_total"), "accepted"),
        Prometheus(rate("mlp_jobs_finished_total", by="outcome"), "{{outcome}}"),
    ),
    unit=Unit.EVENTS_PER_SECOND,
)
_WAIT = Panel(
    "Waiting time",
    "From acceptance to the start of the first attempt. With idle workers it is milliseconds. A p99 of a second with "
    "an empty queue: wake-ups do not get through, and the sweep finds the jobs.",
    quantiles("mlp_job_wait_seconds"),
    unit=Unit.SECONDS,
)
_RUN = Panel(
    "Running time",
    "Running one attempt, of every kind of job. A rise with the same traffic: the model or its input has changed.",
    quantiles("mlp_job_run_seconds"),
    unit=Unit.SECONDS,
)
_RUN_BY_KIND = Panel(
    "Accepted and running time by kind",
    "Kinds of jobs: predictions, acceptance of versions. Acceptance takes seconds, since it starts a child process.",
    (
        Prometheus(rate("mlp_jobs_accepted_total", by="kind"), "{{kind}} accepted a second"),
        Prometheus(
            "sum by (kind) (rate(mlp_job_run_seconds_sum[$__rate_interval])) "
            "/ sum by (kind) (rate(mlp_job_run_seconds_count[$__rate_interval]))",
            "{{kind}} mean seconds",
        ),
    ),
)

_AGAIN = Panel(
    "Tried again, and thrown away",
    "Jobs put back into the queue, by reason, and attempts whose outcome was thrown away because another worker had "
    "taken the job over. `lease_lost` and thrown away together: workers die or hang; see their restarts.",
    (
        Prometheus(rate("mlp_jobs_requeued_total", by="reason"), "again: {{reason}}", may_be_empty=QUIET),
        Prometheus(rate("mlp_jobs_fenced_total"), "thrown away"),
    ),
    unit=Unit.EVENTS_PER_SECOND,
)
_PUBLISHED = Panel(
    "Wake-ups",
    "Messages that RabbitMQ has confirmed, by queue, and those that did not get through. Failures: RabbitMQ is away, "
    "or its memory or disk alarm blocks publishers (Infrastructure).",
    (
        Prometheus(rate("mlp_jobs_published_total", by="queue"), "{{queue}}"),
        Prometheus(rate("mlp_jobs_publish_failures_total"), "did not get through"),
    ),
    unit=Unit.MESSAGES_PER_SECOND,
    needs=_STACK,
)
_THREADS = Panel(
    "Errors around jobs",
    "Errors that a thread survived: the worker's loop, the publisher, the notices. They are in the log with their "
    "traceback; a steady rate means that the database or the broker is away.",
    (Prometheus(rate("mlp_job_thread_failures_total", by="thread"), "{{thread}}"),),
    unit=Unit.EVENTS_PER_SECOND,
    may_be_empty=QUIET,
    no_value="none",
)
_WEBHOOKS = Panel(
    "Webhooks",
    "Calls at a job's end, by outcome, and those that have still to be made, of unfinished jobs too. `repeated` for "
    "long: a receiver is away or answers with errors, which `mlp jobs show ID` tells; after a day it is `failed`.",
    (
        Prometheus(rate("mlp_webhooks_total", by="outcome"), "{{outcome}} a second"),
        Prometheus("max(mlp_webhooks_open)", "open"),
    ),
    may_be_empty="no job has a webhook",
    no_value="none",
)

_TAKERS = Panel(
    "Workers by queue",
    "Workers that take each queue and are not being drained. 0 with waiting jobs: that queue stands still.",
    (Prometheus(of_rows("mlp_queue_workers", "queue"), "{{queue}}"),),
    needs=_WORKER,
)
_WORKER_TABLE = Panel(
    "Workers and their queues",
    "Workers as they report themselves every few seconds; `seen` far back means that it is gone. `draining` finishes "
    "what it has and takes nothing new (`mlp workers drain`).",
    (
        Postgres(
            """
SELECT host, pid, release, processes, state, is_draining AS draining,
       (SELECT string_agg(name, ', ' ORDER BY name) FROM jsonb_array_elements_text(queues) AS name) AS queues,
       round(extract(epoch FROM now() - seen_at)) AS "seen before",
       round(extract(epoch FROM now() - started_at)) AS "running for"
FROM workers
ORDER BY host, pid
LIMIT 100
""".strip()
        ),
    ),
    visual=Visual.TABLE,
    width=16,
    column_units={"seen before": Unit.SECONDS, "running for": Unit.SECONDS, "pid": Unit.PLAIN},
    needs=_WORKER,
)
_PAUSES = Panel(
    "Paused queues",
    "Queues whose jobs wait until somebody resumes them: `mlp queues resume NAME`.",
    (Postgres("SELECT queue, reason, at AS since FROM queue_pauses ORDER BY at DESC LIMIT 100"),),
    visual=Visual.TABLE,
    width=24,
    height=5,
    may_be_empty="no queue is paused",
    no_value="none is paused",
)
_FAILED_JOBS = Panel(
    "Latest failed jobs",
    "The newest jobs that failed, with the reason of their last attempt. `mlp jobs show ID` tells more; a retry is a "
    "new job.",
    (
        Postgres(
            """
SELECT finished_at AS "time", kind, model, attempt, error ->> 'code' AS code,
       left(error ->> 'detail', 300) AS reason, id
FROM jobs
WHERE state = 'failed' AND $__timeFilter(finished_at)
ORDER BY finished_at DESC
LIMIT 20
""".strip()
        ),
    ),
    visual=Visual.TABLE,
    width=16,
    may_be_empty="no job has failed",
    no_value="no failed job in this time",
)
_REASONS = Panel(
    "Why jobs failed",
    "Failed jobs of the time shown, by reason, the commonest first.",
    (
        Postgres(
            """
SELECT coalesce(error ->> 'code', 'unknown') AS code, count(*) AS jobs
FROM jobs
WHERE state = 'failed' AND $__timeFilter(finished_at)
GROUP BY 1
ORDER BY 2 DESC
LIMIT 20
""".strip()
        ),
    ),
    visual=Visual.TABLE,
    may_be_empty="no job has failed",
    no_value="no failed job in this time",
)

_AT_BROKER = Panel(
    "Messages at RabbitMQ",
    "Wake-ups that wait for a worker (ready) and that a worker has taken and not yet confirmed, as RabbitMQ itself "
    "counts them. Far fewer than queued jobs is well: a worker takes a job's neighbours with it.",
    (
        Prometheus("max by (queue) (rabbitmq_detailed_queue_messages_ready)", "{{queue}} ready"),
        Prometheus("max by (queue) (rabbitmq_detailed_queue_messages_unacked)", "{{queue}} taken"),
    ),
    width=12,
    needs=_BROKER,
)
_CONSUMERS = Panel(
    "Consumers at RabbitMQ",
    "Who is subscribed to each queue, as RabbitMQ counts it. 0 while workers say that they take it: they have lost "
    "their connection; restart them. `mlp.dead` keeps what RabbitMQ gave up on, and has none on purpose.",
    (Prometheus("max by (queue) (rabbitmq_detailed_queue_consumers)", "{{queue}}"),),
    width=12,
    needs=_BROKER,
)

QUEUE_AND_WORKERS = Dashboard(
    "mlp-queue",
    "Queue and workers",
    "What waits, for how long, who takes it, and what went wrong?",
    (
        Row("At a glance", (_WAITING, _OLDEST, _WORKERS, _UNPUBLISHED, _FAILED_SHARE, _UNTAKEN)),
        Row("Queue", (_DEPTH, _AGE, _TROUBLED, _FLOW, _WAIT, _RUN, _RUN_BY_KIND)),
        Row("Troubles", (_AGAIN, _PUBLISHED, _THREADS, _FAILED_JOBS, _REASONS, _WEBHOOKS)),
        Row("Workers", (_TAKERS, _WORKER_TABLE, _PAUSES)),
        Row("RabbitMQ", (_AT_BROKER, _CONSUMERS)),
    ),
    annotations=(MOVES,),
)
