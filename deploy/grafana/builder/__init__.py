"""A small typed way to write Grafana dashboards: what a panel asks and means, turned into Grafana's classic JSON."""

from deploy.grafana.builder.document import document_of, text_of
from deploy.grafana.builder.elements import (
    Annotation,
    Dashboard,
    Format,
    Need,
    Panel,
    Postgres,
    Prometheus,
    Query,
    Row,
    Thresholds,
    Unit,
    Variable,
    Visual,
    bad_above,
    bad_below,
)

__all__ = [
    "Annotation",
    "Dashboard",
    "Format",
    "Need",
    "Panel",
    "Postgres",
    "Prometheus",
    "Query",
    "Row",
    "Thresholds",
    "Unit",
    "Variable",
    "Visual",
    "bad_above",
    "bad_below",
    "document_of",
    "text_of",
]
