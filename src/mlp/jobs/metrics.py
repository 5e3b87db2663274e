"""Metrics of jobs: accepted, waiting, running, finished, and attempts whose result was thrown away."""

from mlp.observability.metrics import counter, histogram

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
