"""Tables of the registry: models, their versions, aliases with their history, and the revision others watch."""

import sqlalchemy as sa

from mlp.storage.database import METADATA, UTCDateTime, json_column

models = sa.Table(
    "models",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("settings", json_column(), nullable=False),
    sa.Column("traffic", json_column(), nullable=False),
    sa.Column("versions_made", sa.Integer, nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False),
)

versions = sa.Table(
    "versions",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("models.id", ondelete="CASCADE"), nullable=False),
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
    sa.UniqueConstraint("model_id", "number"),
    sa.Index(None, "digest"),
)

aliases = sa.Table(
    "aliases",
    METADATA,
    sa.Column("model_id", sa.ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("version_id", sa.ForeignKey("versions.id"), nullable=False),
    sa.Column("updated_at", UTCDateTime, nullable=False),
    sa.Index(None, "version_id"),
)

alias_moves = sa.Table(
    "alias_moves",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("model_id", sa.ForeignKey("models.id", ondelete="CASCADE"), nullable=False),
    sa.Column("alias", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("from_version", sa.Integer),
    sa.Column("to_version", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Index(None, "model_id", "alias", "id"),
)

#: One row; its number grows with every change, so that other processes see cheaply that something moved.
registry_revision = sa.Table(
    "registry_revision",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
