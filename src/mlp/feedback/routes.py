"""HTTP of feedback: labels in, one or many, and how far they cover what was predicted."""

import asyncio
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from mlp.errors import MalformedBody
from mlp.feedback.schemas import FeedbackIn, FeedbackReport, FeedbackSummary, body_schema
from mlp.feedback.service import FeedbackService

router = APIRouter(tags=["feedback"])
_decoder = msgspec.json.Decoder(FeedbackIn)


def _feedback(request: Request) -> FeedbackService:
    return cast("FeedbackService", request.app.state.stack.feedback)


Feedback = Annotated[FeedbackService, Depends(_feedback)]


def _describes_body() -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body_schema()}}}}


@router.post("/v1/feedback", response_model=FeedbackReport, summary="Accept labels", openapi_extra=_describes_body())
async def accept_feedback(request: Request, feedback: Feedback) -> Response:
    """Accept labels; answered when they are committed."""
    body = await request.body()
    try:
        parsed = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MalformedBody(f"the body does not have the expected form: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"the body is not JSON: {error}") from error
    report = await asyncio.to_thread(feedback.accept, parsed)
    return JSONResponse(report.model_dump())


@router.get("/v1/models/{model}/feedback/summary", response_model=FeedbackSummary, summary="Show label coverage")
def summarise_feedback(model: str, feedback: Feedback) -> FeedbackSummary:
    """Label coverage and delay of a model."""
    return feedback.summary(model)
