"""HTTP of monitoring: quality over time, and drift."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from mlp.monitoring.schemas import Drift, Quality
from mlp.monitoring.service import MonitoringService
from mlp.monitoring.windows import WindowLength
from mlp.storage.moments import QueryMoment

router = APIRouter(tags=["monitoring"])


def _monitoring(request: Request) -> MonitoringService:
    return cast("MonitoringService", request.app.state.stack.monitoring)


Monitoring = Annotated[MonitoringService, Depends(_monitoring)]


@router.get("/v1/models/{model}/quality", summary="Show quality over time")
def quality(
    model: str,
    monitoring: Monitoring,
    by: WindowLength | None = None,
    since: QueryMoment | None = None,
    until: QueryMoment | None = None,
    as_of: QueryMoment | None = None,
    version: str | None = None,
) -> Quality:
    """Quality by calendar windows, with label coverage and intervals."""
    return monitoring.quality(model, by=by, since=since, until=until, as_of=as_of, version=version)


@router.get("/v1/models/{model}/drift", summary="Show drift over time")
def drift(
    model: str,
    monitoring: Monitoring,
    by: WindowLength | None = None,
    since: QueryMoment | None = None,
    until: QueryMoment | None = None,
    version: str | None = None,
) -> Drift:
    """Drift of each feature against the version's reference, by calendar windows."""
    return monitoring.drift(model, by=by, since=since, until=until, version=version)
