"""Jobs with a time limit and a last moment to begin, results kept as files, calls at a job's end, quicker lists."""

import sqlalchemy as sa
from alembic import op

from mlp.storage.database import UTCDateTime

revision = "0003"
down_revision = "0002"

_WAITS_WITH_END = "state = 'queued' AND expires_at IS NOT NULL"
_IS_OPEN = "state = 'open'"
_OF_LISTS = (
    ("ix_jobs_uncommon_kinds", ["kind", "id"], "kind != 'inference.predict'"),
    ("ix_jobs_failed", ["id"], "state = 'failed'"),
    ("ix_jobs_cancelled", ["id"], "state = 'cancelled'"),
)


def upgrade() -> None:
    """Add columns that may be empty, and a table; none of them is in the way of the release before."""
    op.add_column("jobs", sa.Column("expires_at", UTCDateTime))
    op.add_column("jobs", sa.Column("deadline_at", UTCDateTime))
    op.add_column("job_results", sa.Column("digest", sa.String(64)))
    op.create_index(
        "ix_jobs_expiring",
        "jobs",
        ["expires_at"],
        postgresql_where=sa.text(_WAITS_WITH_END),
        sqlite_where=sa.text(_WAITS_WITH_END),
    )
    for name, columns, condition in _OF_LISTS:
        where = sa.text(condition)
        op.create_index(name, "jobs", columns, postgresql_where=where, sqlite_where=where)
    op.create_index(
        "ix_job_results_digest",
        "job_results",
        ["digest"],
        postgresql_where=sa.text("digest IS NOT NULL"),
        sqlite_where=sa.text("digest IS NOT NULL"),
    )
    op.create_table(
        "job_webhooks",
        sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("due_at", UTCDateTime, nullable=False),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("ended_at", UTCDateTime),
    )
    op.create_index(
        "ix_job_webhooks_open",
        "job_webhooks",
        ["due_at"],
        postgresql_where=sa.text(_IS_OPEN),
        sqlite_where=sa.text(_IS_OPEN),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("job_webhooks")
    op.drop_index("ix_jobs_expiring", "jobs")
    op.drop_index("ix_job_results_digest", "job_results")
    for name, _columns, _condition in _OF_LISTS:
        op.drop_index(name, "jobs")
    op.drop_column("job_results", "digest")
    op.drop_column("jobs", "deadline_at")
    op.drop_column("jobs", "expires_at")
