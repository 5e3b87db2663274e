"""Batch files, and the chunks that they are cut into."""

import sqlalchemy as sa
from alembic import op

from mlp.storage.database import UTCDateTime, json_column

revision = "0004"
down_revision = "0003"

_HAS_KEY = "idempotency_key IS NOT NULL"
_IS_OPEN = "finished_at IS NULL OR has_leftovers"
_IS_FINISHED = "finished_at IS NOT NULL"


def upgrade() -> None:
    """Make the tables; neither of them is in the way of the release before."""
    op.create_table(
        "batches",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(100), nullable=False, server_default="default"),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("reference", sa.String(100)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("format", sa.String(20), nullable=False),
        sa.Column("policy", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("options", json_column(), nullable=False),
        sa.Column("header", json_column()),
        sa.Column("result_header", sa.Text, nullable=False),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("rows_done", sa.BigInteger, nullable=False),
        sa.Column("rows_bad", sa.BigInteger, nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("error", json_column()),
        sa.Column("has_leftovers", sa.Boolean, nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
        sa.Column("touched_at", UTCDateTime, nullable=False),
        sa.Column("received_at", UTCDateTime),
        sa.Column("finished_at", UTCDateTime),
    )
    op.create_index("ix_batches_model_id", "batches", ["model", "id"])
    _create_partial_index("uq_batches_tenant_idempotency_key", ["tenant", "idempotency_key"], _HAS_KEY, unique=True)
    _create_partial_index("ix_batches_open", ["id"], _IS_OPEN)
    _create_partial_index("ix_batches_finished", ["finished_at"], _IS_FINISHED)
    op.create_table(
        "batch_chunks",
        sa.Column("batch_id", sa.String(36), sa.ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("first_line", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("rows_bad", sa.Integer, nullable=False),
    )
    op.create_index("ix_batch_chunks_job_id", "batch_chunks", ["job_id"], unique=True)


def _create_partial_index(name: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, "batches", columns, unique=unique, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("batch_chunks")
    op.drop_table("batches")
