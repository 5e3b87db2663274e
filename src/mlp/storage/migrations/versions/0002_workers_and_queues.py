"""Workers that report themselves, queues that are paused, wake-ups that are missing, and how far back releases work."""

import sqlalchemy as sa
from alembic import op

from mlp.storage.database import UTCDateTime, json_column

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables and the index; none of them is in the way of the release before."""
    op.create_table(
        "workers",
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
    op.create_table(
        "queue_pauses",
        sa.Column("queue", sa.String(100), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", UTCDateTime, nullable=False),
    )
    op.create_table("schema_compatibility", sa.Column("oldest_revision", sa.String(32), primary_key=True))
    op.create_index(
        "ix_jobs_unpublished",
        "jobs",
        ["available_at"],
        postgresql_where=sa.text("state = 'queued' AND published_at IS NULL"),
        sqlite_where=sa.text("state = 'queued' AND published_at IS NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_jobs_unpublished", "jobs")
    for table in ("schema_compatibility", "queue_pauses", "workers"):
        op.drop_table(table)
