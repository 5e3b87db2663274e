"""The first schema: registry, jobs, recorded inferences, feedback, daily counts."""

import sqlalchemy as sa
from alembic import op

from mlp.storage.database import UTCDateTime, json_column

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table and index."""
    _create_registry()
    _create_jobs()
    _create_inference()
    _create_feedback()
    _create_monitoring()


def downgrade() -> None:
    """Drop every table."""
    for table in (
        "aliases",
        "alias_moves",
        "versions",
        "models",
        "registry_revision",
        "inferences",
        "inference_payloads",
        "spool_progress",
        "feedback",
        "daily_counts",
        "job_payloads",
        "job_results",
        "jobs",
    ):
        op.drop_table(table)


def _create_registry() -> None:
    op.create_table(
        "registry_revision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("settings", json_column(), nullable=False),
        sa.Column("traffic", json_column(), nullable=False),
        sa.Column("versions_made", sa.Integer, nullable=False),
        sa.Column("created_at", UTCDateTime, nullable=False),
        sa.UniqueConstraint("name", name="uq_models_name"),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "model_id",
            sa.String(36),
            sa.ForeignKey("models.id", ondelete="CASCADE", name="fk_versions_model_id"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("runtime", sa.String(100), nullable=False),
        sa.Column("signature", json_column(), nullable=False),
        sa.Column("environment", json_column(), nullable=False),
        sa.Column("trained_with", json_column(), nullable=False),
        sa.Column("warnings", json_column(), nullable=False),
        sa.Column("metrics", json_column(), nullable=False),
        sa.Column("lineage", json_column(), nullable=False),
        sa.Column("example", json_column(), nullable=False),
        sa.Column("reference", json_column()),
        sa.Column("created_at", UTCDateTime, nullable=False),
        sa.UniqueConstraint("model_id", "number", name="uq_versions_model_id_number"),
    )
    op.create_index("ix_versions_digest", "versions", ["digest"])
    op.create_table(
        "aliases",
        sa.Column(
            "model_id",
            sa.String(36),
            sa.ForeignKey("models.id", ondelete="CASCADE", name="fk_aliases_model_id"),
            primary_key=True,
        ),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column(
            "version_id", sa.String(36), sa.ForeignKey("versions.id", name="fk_aliases_version_id"), nullable=False
        ),
        sa.Column("updated_at", UTCDateTime, nullable=False),
    )
    op.create_index("ix_aliases_version_id", "aliases", ["version_id"])
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "model_id",
            sa.String(36),
            sa.ForeignKey("models.id", ondelete="CASCADE", name="fk_alias_moves_model_id"),
            nullable=False,
        ),
        sa.Column("alias", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("from_version", sa.Integer),
        sa.Column("to_version", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", UTCDateTime, nullable=False),
    )
    op.create_index("ix_alias_moves_model_id_alias_id", "alias_moves", ["model_id", "alias", "id"])
    revisions = sa.table("registry_revision", sa.column("id"), sa.column("revision"))
    op.bulk_insert(revisions, [{"id": 1, "revision": 0}])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
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
    )
    op.create_index(
        "uq_jobs_tenant_idempotency_key",
        "jobs",
        ["tenant", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        sqlite_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_finished",
        "jobs",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
        sqlite_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index("ix_jobs_model_id", "jobs", ["model", "id"])
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        [sa.text("priority DESC"), "id"],
        postgresql_where=sa.text("state = 'queued'"),
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["lease_until"],
        postgresql_where=sa.text("state = 'running'"),
        sqlite_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "job_payloads",
        sa.Column(
            "job_id",
            sa.String(36),
            sa.ForeignKey("jobs.id", ondelete="CASCADE", name="fk_job_payloads_job_id"),
            primary_key=True,
        ),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "job_results",
        sa.Column(
            "job_id",
            sa.String(36),
            sa.ForeignKey("jobs.id", ondelete="CASCADE", name="fk_job_results_job_id"),
            primary_key=True,
        ),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("result", sa.LargeBinary, nullable=False),
    )


def _create_inference() -> None:
    op.create_table(
        "inferences",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("row", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("key", sa.String(255)),
        sa.Column("at", UTCDateTime, nullable=False),
        sa.Column("recorded_at", UTCDateTime, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("predicted", json_column()),
        sa.Column("label", json_column()),
        sa.Column("label_at", UTCDateTime),
    )
    op.create_index("ix_inferences_model_at", "inferences", ["model", "at"])
    op.create_index("ix_inferences_model_key_at", "inferences", ["model", "key", "at"])
    op.create_index("ix_inferences_recorded_at", "inferences", ["recorded_at"])
    op.create_table(
        "inference_payloads",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("inputs", sa.LargeBinary),
        sa.Column("outputs", sa.LargeBinary),
        sa.Column("recorded_at", UTCDateTime, nullable=False),
    )
    op.create_index("ix_inference_payloads_recorded_at", "inference_payloads", ["recorded_at"])
    op.create_table(
        "spool_progress",
        sa.Column("spool", sa.String(100), primary_key=True),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("offset_bytes", sa.BigInteger, nullable=False),
    )


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("key", sa.String(255)),
        sa.Column("inference_id", sa.String(36)),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("label", json_column(), nullable=False),
        sa.Column("at", UTCDateTime, nullable=False),
        sa.Column("received_at", UTCDateTime, nullable=False),
        sa.Column("source", sa.String(100)),
        sa.Column("delay_seconds", sa.Float),
        sa.Column("is_late", sa.Boolean, nullable=False),
    )
    op.create_index("ix_feedback_inference_id_row", "feedback", ["inference_id", "row"])
    op.create_index("ix_feedback_model_received_at", "feedback", ["model", "received_at"])
    op.create_index(
        "ix_feedback_parked",
        "feedback",
        ["model", "key", "inference_id"],
        postgresql_where=sa.text("state = 'parked'"),
        sqlite_where=sa.text("state = 'parked'"),
    )


def _create_monitoring() -> None:
    op.create_table(
        "daily_counts",
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("day", UTCDateTime, primary_key=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("counts", json_column(), nullable=False),
    )
