"""Metrics of jobs: accepted, waiting, running, finished, and attempts whose result was thrown away."""

from mlp.observability.metrics import counter, gauge, histogram

#: Seconds; a job may wait for a free worker, or run, for an hour.
_JOB_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

accepted = counter("mlp_jobs_accepted_total", "Jobs accepted.", ("kind",))
finished = counter("mlp_jobs_finished_total", "Jobs that reached a final state.", ("kind", "outcome"))
requeued = counter("mlp_jobs_requeued_total", "Jobs put back into the queue, by reason.", ("reason",))
fenced = counter("mlp_jobs_fenced_total", "Attempts whose outcome was thrown away: the job had been taken over.")
failures = counter("mlp_job_thread_failures_total", "Errors that a thread around jobs survived.", ("thread",))
wait_seconds = histogram(
    "mlp_job_wait_seconds", "From acceptance to the start of the first attempt.", ("kind",), _JOB_BUCKETS_SECONDS
)
run_seconds = histogram("mlp_job_run_seconds", "Running one attempt.", ("kind",), _JOB_BUCKETS_SECONDS)

# Of the stack: what the rows say, asked by each server's first process; a query takes the greatest of the replicas.
jobs = gauge("mlp_jobs", "Jobs that are queued or running, by the queue they wait in.", ("queue", "state"))
oldest_queued_seconds = gauge(
    "mlp_jobs_oldest_queued_seconds", "Age of the job that has waited longest and may run now.", ("queue",)
)
unpublished = gauge(
    "mlp_jobs_unpublished", "Jobs that could have begun 3 s ago and whose wake-up RabbitMQ has not confirmed."
)
retrying = gauge("mlp_jobs_retrying", "Queued jobs that were begun before and wait for another attempt.")
failed_last_hour = gauge("mlp_jobs_failed_last_hour", "Jobs that failed in the last hour: dead, unless retried.")
published = counter("mlp_jobs_published_total", "Wake-ups that RabbitMQ has confirmed.", ("queue",))
publish_failures = counter(
    "mlp_jobs_publish_failures_total", "Wake-ups that did not get through; the sweep sends them."
)
workers = gauge("mlp_workers", "Workers that were heard of in the last 15 seconds.")
queue_workers = gauge("mlp_queue_workers", "Workers that take a queue and are not drained.", ("queue",))
notices = counter("mlp_notices_total", "Notices between processes, by kind and outcome.", ("kind", "outcome"))

webhooks = counter(
    "mlp_webhooks_total", "Calls at a job's end: delivered, repeated later, failed for good.", ("outcome",)
)
webhooks_open = gauge("mlp_webhooks_open", "Webhooks that have still to be called.", is_summed=False)
