"""The four dashboards, in the order in which an operator opens them."""

from deploy.grafana.builder import Dashboard
from deploy.grafana.definitions.infrastructure import INFRASTRUCTURE
from deploy.grafana.definitions.models import MODELS
from deploy.grafana.definitions.queue_and_workers import QUEUE_AND_WORKERS
from deploy.grafana.definitions.service import SERVICE

DASHBOARDS: tuple[Dashboard, ...] = (SERVICE, QUEUE_AND_WORKERS, MODELS, INFRASTRUCTURE)

#: Metrics of the code that no panel shows, each with the reason; a test holds both lists together.
UNSHOWN_METRICS: dict[str, str] = {
    "mlp_batch_rows_total": "of use for one file at a time, whose progress and bad rows mlp batch show tells",
    "mlp_start_time_seconds": "a moment, not a course: the alert ReplicaRestarting counts its changes",
}
