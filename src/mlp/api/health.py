"""Whether the process lives, whether it can predict, what is degraded, and the metrics."""

from typing import Any, cast

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from mlp.observability import metrics
from mlp.stack import Stack

router = APIRouter(tags=["health"])


@router.get("/health/live", summary="Say whether the process lives")
async def live() -> dict[str, str]:
    """Always 200 while the process answers."""
    return {"status": "live"}


@router.get("/health/open", summary="Say whether it takes requests")
async def is_open(request: Request) -> Response:
    """200 from the end of the start to the beginning of the stop: what a load balancer asks."""
    stack = cast("Stack", request.app.state.stack)
    if stack.is_stopping or not stack.is_ready:
        return JSONResponse({"status": "stopping" if stack.is_stopping else "starting"}, 503)
    return JSONResponse({"status": "open"})


@router.get("/health/ready", summary="Say whether it can predict")
def ready(request: Request) -> Response:
    """200 when predictions can be answered, with what is degraded named; 503 when they cannot."""
    report: dict[str, Any] = cast("Stack", request.app.state.stack).check_ready()
    return JSONResponse(report, 503 if report["status"] == "unavailable" else 200)


@router.get("/metrics", summary="Show metrics")
def prometheus() -> Response:
    """All metrics of this server's processes in Prometheus' text form."""
    return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)
