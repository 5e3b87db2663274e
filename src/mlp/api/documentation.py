"""The OpenAPI document, with each model's own schema, and the page that shows it; everything served from here."""

from pathlib import Path
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from mlp.api.key import key_of
from mlp.api.model_schemas import PROBLEM_ANSWER, hot_paths, model_paths
from mlp.errors import UnknownName
from mlp.stack import Stack

router = APIRouter(include_in_schema=False)
_ASSETS = Path(__file__).parent / "assets"
_ASSET_TYPES = {"page.js": "text/javascript", "page.css": "text/css"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MLP: HTTP interface</title>
<link rel="stylesheet" href="docs/assets/page.css">
</head>
<body>
<header><h1>MLP: HTTP interface</h1>
<p>Every path of this server, with each model's own inputs.
The same as a document: <a href="openapi.json">openapi.json</a>.</p>
</header>
<main id="paths"><noscript>This page needs a script to draw the document; the document itself is at
<a href="openapi.json">openapi.json</a>.</noscript></main>
<script src="docs/assets/page.js"></script>
</body>
</html>
"""


@router.get("/")
async def front_door() -> Response:
    """To the page of the interface."""
    return RedirectResponse("docs")


@router.get("/docs")
async def page() -> Response:
    """The page; it draws openapi.json."""
    return HTMLResponse(_PAGE, headers={"content-security-policy": "default-src 'self'; frame-ancestors 'none'"})


@router.get("/docs/assets/{name}")
def asset(name: str) -> Response:
    """The page's script and style; nothing is fetched from anywhere else."""
    if name not in _ASSET_TYPES:
        raise UnknownName(f"no such file: {name}")
    return FileResponse(_ASSETS / name, media_type=_ASSET_TYPES[name], headers={"cache-control": "max-age=3600"})


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document of this server as it is now."""
    return JSONResponse(document_of(request))


def document_of(request: Request) -> dict[str, Any]:
    """Routes that FastAPI knows, the hot routes, and a path per model with the schema of its champion."""
    app = request.app
    stack = cast("Stack", app.state.stack)
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    paths = cast("dict[str, Any]", document.setdefault("paths", {}))
    _name_own_problems(document)
    paths.update(hot_paths())
    paths.update(model_paths(stack.registry.snapshot().champions()))
    if key_of(stack.settings) is not None:
        document["security"] = [{"key": []}]
        document.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return document


def _name_own_problems(document: dict[str, Any]) -> None:
    """Put in place of the framework's answer to a wrong request, a 422 of its own form, the one that is given here."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if operation["responses"].pop("422", None) is not None:
                operation["responses"]["400"] = PROBLEM_ANSWER
    schemas = document.get("components", {}).get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
