"""Tables of jobs: a narrow row that is claimed and finished, its payload and its result apart."""

import sqlalchemy as sa

from mlp.storage.database import METADATA, UTCDateTime, json_column

jobs = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("tenant", sa.String(100), nullable=False, server_default="default"),
    sa.Column("queue", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(100), nullable=False),
    sa.Column("model", sa.String(200)),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("attempts_max", sa.Integer, nullable=False),
    sa.Column("lease_token", sa.String(36)),
    sa.Column("lease_until", UTCDateTime),
    sa.Column("worker_id", sa.String(100)),
    sa.Column("reply_to", sa.String(100)),
    sa.Column("idempotency_key", sa.String(255)),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("is_cancel_requested", sa.Boolean, nullable=False),
    sa.Column("progress", json_column()),
    sa.Column("error", json_column()),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("available_at", UTCDateTime, nullable=False),
    sa.Column("published_at", UTCDateTime),
    sa.Column("started_at", UTCDateTime),
    sa.Column("finished_at", UTCDateTime),
    sa.Column("expires_at", UTCDateTime),
    sa.Column("deadline_at", UTCDateTime),
    sa.Index(None, "model", "id"),
)
#: Most jobs have no key, and cost this index nothing.
sa.Index(
    "uq_jobs_tenant_idempotency_key",
    jobs.c.tenant,
    jobs.c.idempotency_key,
    unique=True,
    postgresql_where=jobs.c.idempotency_key.is_not(None),
    sqlite_where=jobs.c.idempotency_key.is_not(None),
)
sa.Index(
    "ix_jobs_queued",
    jobs.c.priority.desc(),
    jobs.c.id,
    postgresql_where=jobs.c.state == "queued",
    sqlite_where=jobs.c.state == "queued",
)
sa.Index(
    "ix_jobs_running",
    jobs.c.lease_until,
    postgresql_where=jobs.c.state == "running",
    sqlite_where=jobs.c.state == "running",
)
sa.Index(
    "ix_jobs_finished",
    jobs.c.finished_at,
    postgresql_where=jobs.c.finished_at.is_not(None),
    sqlite_where=jobs.c.finished_at.is_not(None),
)

#: What a sweep looks for each second: queued jobs whose wake-up has not been confirmed.
sa.Index(
    "ix_jobs_unpublished",
    jobs.c.available_at,
    postgresql_where=sa.and_(jobs.c.state == "queued", jobs.c.published_at.is_(None)),
    sqlite_where=sa.and_(jobs.c.state == "queued", jobs.c.published_at.is_(None)),
)

#: What most jobs are, so that lists of the others need an index of these alone.
MOST_COMMON_KIND = "inference.predict"
sa.Index(
    "ix_jobs_uncommon_kinds",
    jobs.c.kind,
    jobs.c.id,
    postgresql_where=jobs.c.kind != MOST_COMMON_KIND,
    sqlite_where=jobs.c.kind != MOST_COMMON_KIND,
)
sa.Index(
    "ix_jobs_failed",
    jobs.c.id,
    postgresql_where=jobs.c.state == "failed",
    sqlite_where=jobs.c.state == "failed",
)
sa.Index(
    "ix_jobs_cancelled",
    jobs.c.id,
    postgresql_where=jobs.c.state == "cancelled",
    sqlite_where=jobs.c.state == "cancelled",
)

#: Queued jobs that are of no use after a moment.
sa.Index(
    "ix_jobs_expiring",
    jobs.c.expires_at,
    postgresql_where=sa.and_(jobs.c.state == "queued", jobs.c.expires_at.is_not(None)),
    sqlite_where=sa.and_(jobs.c.state == "queued", jobs.c.expires_at.is_not(None)),
)

job_payloads = sa.Table(
    "job_payloads",
    METADATA,
    sa.Column("job_id", sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

job_results = sa.Table(
    "job_results",
    METADATA,
    sa.Column("job_id", sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("result", sa.LargeBinary, nullable=False),
    # Of a result that is kept as a file, by its SHA-256; ``result`` is empty then.
    sa.Column("digest", sa.String(64)),
)

sa.Index(
    "ix_job_results_digest",
    job_results.c.digest,
    postgresql_where=job_results.c.digest.is_not(None),
    sqlite_where=job_results.c.digest.is_not(None),
)

#: Whom to call when a job has ended: written with the job, gone with it.
job_webhooks = sa.Table(
    "job_webhooks",
    METADATA,
    sa.Column("job_id", sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("due_at", UTCDateTime, nullable=False),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
    sa.Column("ended_at", UTCDateTime),
)
sa.Index(
    "ix_job_webhooks_open",
    job_webhooks.c.due_at,
    postgresql_where=job_webhooks.c.state == "open",
    sqlite_where=job_webhooks.c.state == "open",
)

#: Workers as they report themselves, every few seconds.
workers = sa.Table(
    "workers",
    METADATA,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("release", sa.String(50), nullable=False),
    sa.Column("queues", json_column(), nullable=False),
    sa.Column("processes", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("started_at", UTCDateTime, nullable=False),
    sa.Column("seen_at", UTCDateTime, nullable=False),
    sa.Column("is_draining", sa.Boolean, nullable=False),
)

#: Queues whose jobs wait until an operator resumes them, by the names that workers take.
queue_pauses = sa.Table(
    "queue_pauses",
    METADATA,
    sa.Column("queue", sa.String(100), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
)
