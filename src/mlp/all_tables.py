"""Imports every domain's tables, so that METADATA is whole; what Alembic compares the database with."""

from mlp.batches import tables as batches_tables
from mlp.feedback import tables as feedback_tables
from mlp.inference import tables as inference_tables
from mlp.jobs import tables as jobs_tables
from mlp.monitoring import tables as monitoring_tables
from mlp.registry import tables as registry_tables
from mlp.storage.database import METADATA

__all__ = [
    "METADATA",
    "batches_tables",
    "feedback_tables",
    "inference_tables",
    "jobs_tables",
    "monitoring_tables",
    "registry_tables",
]
