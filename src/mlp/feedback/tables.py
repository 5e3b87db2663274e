"""The table of feedback: every label that was ever accepted, in the state that matching gave it."""

import sqlalchemy as sa

from mlp.storage.database import METADATA, UTCDateTime, json_column

feedback = sa.Table(
    "feedback",
    METADATA,
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
    sa.Index(None, "inference_id", "row"),
    sa.Index(None, "model", "received_at"),
)
sa.Index(
    "ix_feedback_parked",
    feedback.c.model,
    feedback.c.key,
    feedback.c.inference_id,
    postgresql_where=feedback.c.state == "parked",
    sqlite_where=feedback.c.state == "parked",
)
