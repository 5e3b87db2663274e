"""HTTP of monitoring: quality over time, and drift."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime

from mlp.monitoring.schemas import Drift, Quality
from mlp.monitoring.service import MonitoringService
from mlp.monitoring.windows import WindowLength

router = APIRouter(tags=["monitoring"])


def _monitoring(request: Request) -> MonitoringService:
    return cast("MonitoringService", request.app.state.stack.monitoring)


Monitoring = Annotated[MonitoringService, Depends(_monitoring)]


@router.get("/v1/models/{model}/quality")
def quality(
    model: str,
    monitoring: Monitoring,
    by: WindowLength | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    as_of: AwareDatetime | None = None,
    version: str | None = None,
) -> Quality:
    """Quality by calendar windows, with label coverage and intervals."""
    return monitoring.quality(model, by=by, since=since, until=until, as_of=as_of, version=version)


@router.get("/v1/models/{model}/drift")
def drift(
    model: str,
    monitoring: Monitoring,
    by: WindowLength | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    version: str | None = None,
) -> Drift:
    """Drift of each feature against the version's reference, by calendar windows."""
    return monitoring.drift(model, by=by, since=since, until=until, version=version)
