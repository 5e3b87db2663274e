"""The friendly HTTP of predictions: ask now, and read back what was recorded.

``predict`` is a plain Starlette route: the framework's validation and serialisation would cost more than the
prediction itself. ``describe`` writes its part of the OpenAPI document by hand.
"""

import time
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from mlp.inference import job_routes
from mlp.inference.bodies import decode_rows
from mlp.inference.history import InferenceHistory
from mlp.inference.questions import rows_question
from mlp.inference.schemas import InferenceItem, InferencePage
from mlp.inference.service import InferenceService, server_timing
from mlp.inference.submissions import check_asked_now
from mlp.jobs.preferences import parse_preferences
from mlp.observability.routes import CountedRoute
from mlp.storage.moments import QueryMoment

router = APIRouter(tags=["inference"])
_encoder = msgspec.json.Encoder()


def _inference(request: Request) -> InferenceService:
    return cast("InferenceService", request.app.state.stack.inference)


def _history(request: Request) -> InferenceHistory:
    return cast("InferenceHistory", request.app.state.stack.history)


History = Annotated[InferenceHistory, Depends(_history)]


async def predict(request: Request) -> Response:
    """Answer the rows of the request, or make a job of them where the caller prefers not to wait."""
    started = time.perf_counter()
    preferences = parse_preferences(request.headers.get("prefer"))
    if preferences.is_async:
        return await job_routes.predict_later(request, preferences)
    body = await request.body()
    parsed = decode_rows(body)
    check_asked_now(parsed)
    question = rows_question(request.path_params["model"], request.path_params.get("version"), body, parsed)
    answer = await _inference(request).predict(question)
    content = _encoder.encode(answer.as_document(parsed.keys))
    timing = server_timing(answer.timing, time.perf_counter() - started)
    return Response(content, media_type="application/json", headers={"server-timing": timing})


@router.get("/v1/inferences/{inference_id}", response_model=InferenceItem, summary="Show a recorded request")
def get_inference(inference_id: str, history: History) -> Any:
    """One recorded request: its rows with inputs, outputs and labels."""
    return history.get(inference_id)


@router.get("/v1/inferences", response_model=InferencePage, summary="List recorded rows")
def list_inferences(
    history: History,
    model: str | None = None,
    key: str | None = None,
    since: QueryMoment | None = None,
    until: QueryMoment | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: str | None = None,
) -> Any:
    """Recorded rows, newest first."""
    return history.list_page(model=model, key=key, since=since, until=until, limit=limit, cursor=cursor)


#: Ahead of every other route, since they are asked most.
HOT_ROUTES = [
    CountedRoute("/v1/models/{model}/predict", predict, methods=["POST"]),
    CountedRoute("/v1/models/{model}/versions/{version}/predict", predict, methods=["POST"]),
    *job_routes.HOT_ROUTES,
]
