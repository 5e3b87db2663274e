"""The route of a server's examination, for ``mlp doctor`` and for whoever is on call."""

from typing import cast

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from mlp.api.examination import examine
from mlp.client.examination import Status
from mlp.stack import Stack

router = APIRouter(tags=["health"])


class Component(BaseModel):
    """One part of the installation."""

    name: str
    status: Status
    version: str | None
    latency_ms: float | None = Field(description="how long its answer took")
    detail: str


class Cause(BaseModel):
    """Something that should be done about."""

    kind: str
    subject: str
    status: Status
    detail: str
    remedy: str = Field(description="the command, or the deed, that mends it")


class Examination(BaseModel):
    """Every part, and what should be done, the most urgent first."""

    is_stack: bool = Field(description="the deployed stack, or one process on a laptop")
    components: list[Component]
    causes: list[Cause]


@router.get(
    "/v1/examination", summary="Examine the server and what is beside it", responses={200: {"model": Examination}}
)
def show_examination(request: Request) -> Response:
    """Every part with version and latency, and causes of trouble with what mends them; takes up to some seconds."""
    stack = cast("Stack", request.app.state.stack)
    examination = examine(stack.settings, stack.check_ready()["models"])
    return Response(msgspec.json.encode(examination), media_type="application/json")
