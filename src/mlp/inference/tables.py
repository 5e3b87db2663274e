"""Tables of recorded inferences: one narrow row per predicted row, one payload per request, and the drain's place.

Model and version stand as text, not as foreign keys: what was predicted stays on record after a model is removed.
"""

import sqlalchemy as sa

from mlp.storage.database import METADATA, UTCDateTime, json_column

#: A shadow's answer stands under the id of the request it watched, so that one label scores both versions.
inferences = sa.Table(
    "inferences",
    METADATA,
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
    sa.Index(None, "model", "at"),
    sa.Index(None, "model", "key", "at"),
    sa.Index(None, "recorded_at"),
)

#: inputs: the rows' values in the order of the signature; outputs: the answer as it left.
inference_payloads = sa.Table(
    "inference_payloads",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("inputs", sa.LargeBinary),
    sa.Column("outputs", sa.LargeBinary),
    sa.Column("recorded_at", UTCDateTime, nullable=False),
    sa.Index(None, "recorded_at"),
)

#: How far each spool has been moved into the database; written in the transaction that moved it.
spool_progress = sa.Table(
    "spool_progress",
    METADATA,
    sa.Column("spool", sa.String(100), primary_key=True),
    sa.Column("segment", sa.BigInteger, nullable=False),
    sa.Column("offset_bytes", sa.BigInteger, nullable=False),
)
