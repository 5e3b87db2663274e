"""The table of monitoring: how often each bin of each feature was seen on each day, per version."""

import sqlalchemy as sa

from mlp.storage.database import METADATA, UTCDateTime, json_column

#: counts: feature name -> counts per bin of the version's reference, over all inferences of that UTC day.
daily_counts = sa.Table(
    "daily_counts",
    METADATA,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("day", UTCDateTime, primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("counts", json_column(), nullable=False),
)
