"""The application: middleware, the list of routers, the answers to errors. Nothing is decided here."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRouter
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from mlp import __version__
from mlp.api import documentation, examination_routes, health
from mlp.api.errors import add_error_answers
from mlp.api.hot_door import HotDoor
from mlp.api.middleware import RequestMiddleware
from mlp.batches import routes as batches
from mlp.feedback import routes as feedback
from mlp.inference import protocol_routes
from mlp.inference import routes as inference
from mlp.jobs import fleet_routes
from mlp.jobs import routes as jobs
from mlp.monitoring import routes as monitoring
from mlp.registry import routes as registry
from mlp.stack import Stack

ROUTERS: list[APIRouter] = [
    health.router,
    examination_routes.router,
    registry.router,
    inference.router,
    jobs.router,
    batches.router,
    fleet_routes.router,
    feedback.router,
    monitoring.router,
    documentation.router,
]


def create_app(stack: Stack) -> ASGIApp:
    """The ASGI application over a stack; starting it starts the stack, stopping it closes the stack."""
    hot_routes = [*inference.HOT_ROUTES, *protocol_routes.HOT_ROUTES]
    door = HotDoor(_framework_app(stack, hot_routes), hot_routes)
    return RequestMiddleware(door, stack.settings, lambda: stack.is_stopping)


def _framework_app(stack: Stack, hot_routes: Sequence[BaseRoute]) -> FastAPI:

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await stack.start()
        try:
            yield
        finally:
            await stack.close()

    app = FastAPI(
        title="MLP, Machine Learning in Production",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.stack = stack
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.extend([*protocol_routes.ROUTES, *hot_routes])
    add_error_answers(app)
    return app
