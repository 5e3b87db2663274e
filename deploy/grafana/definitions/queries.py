"""Queries that several dashboards ask in one way: quantiles, rates over replicas, gauges that rows give."""

from deploy.grafana.builder import Annotation, Prometheus, Variable
from deploy.grafana.builder.looks import PURPLE

#: What answers users, without the probes and scrapes of the stack itself.
OF_USERS = 'job="api",route!~"/health.*|/metrics"'
#: Every value of the model chosen; also where the choice is empty, when there is no model yet.
CHOSEN_SQL = "= ANY (ARRAY[${model:sqlstring}]::text[])"

QUIET = "nothing of the kind has happened"


def rate(metric: str, selector: str = "", by: str = "") -> str:
    """A counter's growth a second, summed up over processes and replicas."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{selector}}}[$__rate_interval]))"


def rate_or_zero(metric: str, selector: str = "") -> str:
    """As rate(), and 0 where nothing has been counted yet."""
    return f"({rate(metric, selector)} or vector(0))"


def quantile(share: float, metric: str, selector: str = "", by: str = "") -> str:
    """A quantile of a histogram over all processes and replicas, interpolated within its bucket."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share:g}, {rate(f'{metric}_bucket', selector, labels)})"


def quantiles(metric: str, selector: str = "", may_be_empty: str | None = None) -> tuple[Prometheus, ...]:
    """p50, p95 and p99."""
    return tuple(
        Prometheus(quantile(share, metric, selector), name, may_be_empty=may_be_empty)
        for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    )


def of_rows(metric: str, by: str = "", selector: str = 'job="api"') -> str:
    """A gauge that tells of the database's rows, which every replica reads: the greatest, never the sum."""
    return f"max{f' by ({by})' if by else ''} ({metric}{{{selector}}})"


MODEL = Variable(
    "model",
    "Model",
    "Models that have answered in the time shown.",
    metric="mlp_inference_requests_total",
    label="model",
)

MOVES = Annotation(
    "Promotions and other moves",
    """
SELECT moves.at AS "time",
       models.name || ': ' || moves.alias || ' ' || moves.kind AS title,
       models.name || ': ' || moves.alias || ' ' || coalesce('v' || moves.from_version, 'none')
         || ' → ' || coalesce('v' || moves.to_version, 'none') || coalesce(' (' || nullif(moves.reason, '') || ')', '')
         AS "text",
       moves.kind AS tags
FROM alias_moves AS moves
JOIN models ON models.id = moves.model_id
WHERE $__timeFilter(moves.at)
ORDER BY moves.at DESC
LIMIT 200
""".strip(),
    PURPLE,
    may_be_empty="no alias may have moved in the time shown",
)
