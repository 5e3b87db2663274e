"""Tables of batch files: one row for each, and one for each chunk, which names the job that predicts it."""

import sqlalchemy as sa

from mlp.storage.database import METADATA, UTCDateTime, json_column

batches = sa.Table(
    "batches",
    METADATA,
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
    # Kept, since the version that it follows from may be deleted before the result is read.
    sa.Column("result_header", sa.Text, nullable=False),
    sa.Column("chunks", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("rows_done", sa.BigInteger, nullable=False),
    sa.Column("rows_bad", sa.BigInteger, nullable=False),
    sa.Column("idempotency_key", sa.String(255)),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("error", json_column()),
    # It ended early: jobs of its chunks may still wait to be cancelled.
    sa.Column("has_leftovers", sa.Boolean, nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("touched_at", UTCDateTime, nullable=False),
    sa.Column("received_at", UTCDateTime),
    sa.Column("finished_at", UTCDateTime),
    sa.Index(None, "model", "id"),
)
sa.Index(
    "uq_batches_tenant_idempotency_key",
    batches.c.tenant,
    batches.c.idempotency_key,
    unique=True,
    postgresql_where=batches.c.idempotency_key.is_not(None),
    sqlite_where=batches.c.idempotency_key.is_not(None),
)
#: What a sweep looks at every few seconds.
IS_OPEN = sa.or_(batches.c.finished_at.is_(None), batches.c.has_leftovers)
sa.Index(
    "ix_batches_open",
    batches.c.id,
    postgresql_where=IS_OPEN,
    sqlite_where=IS_OPEN,
)
sa.Index(
    "ix_batches_finished",
    batches.c.finished_at,
    postgresql_where=batches.c.finished_at.is_not(None),
    sqlite_where=batches.c.finished_at.is_not(None),
)

batch_chunks = sa.Table(
    "batch_chunks",
    METADATA,
    sa.Column("batch_id", sa.ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    # No foreign key: the row is written before its job, so that no job is without its chunk.
    sa.Column("job_id", sa.String(36), nullable=False),
    sa.Column("first_line", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    # Written by its job shortly before it ends; the same in every attempt.
    sa.Column("rows_bad", sa.Integer, nullable=False),
    sa.Index(None, "job_id", unique=True),
)
