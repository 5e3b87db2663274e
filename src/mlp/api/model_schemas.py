"""The parts of the OpenAPI document that are written by hand: hot routes, and one path per model from its signature."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from mlp.registry.snapshot import Resolution
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.fields import FLOATS, INTEGERS

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
#: The answer of every route to what it cannot do.
PROBLEM_ANSWER = {"description": "A problem (RFC 9457)", "content": {"application/problem+json": {"schema": _PROBLEM}}}
_ANY_ROW = {"oneOf": [{"type": "object"}, {"type": "array"}]}
_NAME = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
_VERSION = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
_CONDITIONS: list[dict[str, Any]] = [
    {"name": "webhook", "in": "query", "schema": {"type": "string", "format": "uri", "maxLength": 2000}},
    {"name": "expires_seconds", "in": "query", "schema": {"type": "number", "exclusiveMinimum": 0}},
]
_BULK_ANSWER = {"202": {"description": "The jobs, in the order of the request"}}


def hot_paths() -> dict[str, Any]:
    """Paths of prediction, queueing and inference, which bypass the framework's own description."""
    rows = _rows_body(_ANY_ROW)
    paths: dict[str, Any] = {}
    for prefix, parameters in (
        ("/v1/models/{model}", [_NAME]),
        ("/v1/models/{model}/versions/{version}", [_NAME, _VERSION]),
    ):
        paths[f"{prefix}/predict"] = _post("Answer rows", "inference", parameters, rows, {"200": _answer({})})
        asked = [*parameters, *_CONDITIONS]
        paths[f"{prefix}/jobs"] = _post("Queue rows", "jobs", asked, rows, {"202": {"description": "The job"}})
        paths[f"{prefix}/jobs/bulk"] = _post(
            "Queue many jobs at once, all of them or none", "jobs", asked, _bulk_body(rows), _BULK_ANSWER
        )
        paths[f"{prefix.replace('/v1', '/v2')}/infer"] = _post(
            "Answer tensors (Open Inference Protocol)",
            "open inference protocol",
            parameters,
            _infer_body(),
            {"200": {"description": "The outputs"}},
        )
    return paths


def model_paths(champions: Iterable[Resolution]) -> dict[str, Any]:
    """``POST /v1/models/<name>/predict`` for each model, with the schema of its champion's inputs and answers."""
    return {
        f"/v1/models/{quote(item.model, safe='')}/predict": _post(
            f"Answer rows with {item.model}, version {item.number}",
            item.model,
            [],
            _rows_body(row_schema(item.signature)),
            {"200": _answer(prediction_schema(item.signature))},
        )
        for item in champions
    }


def row_schema(signature: Signature) -> dict[str, Any]:
    """The JSON schema of one row as an object."""
    return {
        "type": "object",
        "properties": {item.name: field_schema(item) for item in signature.inputs},
        "required": [item.name for item in signature.inputs if not item.nullable],
        "additionalProperties": signature.extra_columns == "ignore",
    }


def field_schema(item: Field) -> dict[str, Any]:
    """The JSON schema of one input."""
    schema = _element_schema(item)
    for size in reversed(item.shape):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return {"anyOf": [schema, {"type": "null"}]} if item.nullable else schema


def _element_schema(item: Field) -> dict[str, Any]:
    if item.dtype in INTEGERS or item.dtype in FLOATS:
        schema: dict[str, Any] = {"type": "integer" if item.dtype in INTEGERS else "number"}
        if item.minimum is not None:
            schema["minimum"] = item.minimum
        if item.maximum is not None:
            schema["maximum"] = item.maximum
        return schema
    if item.dtype is DType.BOOL:
        return {"type": "boolean"}
    if item.dtype is DType.DATETIME:
        return {"type": "string", "format": "date-time"}
    if item.categories is not None and item.unknown == "refuse":
        return {"type": "string", "enum": list(item.categories)}
    return {"type": "string"}


def prediction_schema(signature: Signature) -> dict[str, Any]:
    """The JSON schema of one prediction."""
    key = {"key": {"type": "string"}}
    if signature.task is Task.CLASSIFICATION:
        probabilities = {"type": "object", "additionalProperties": {"type": "number"}}
        return {"type": "object", "properties": {**key, "label": {}, "probabilities": probabilities}}
    if signature.task is Task.REGRESSION:
        return {"type": "object", "properties": {**key, "value": {"type": ["number", "null"]}}}
    return {"type": "object", "properties": {**key, "outputs": {"type": "object"}}}


def _rows_body(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["rows"],
        "additionalProperties": False,
        "properties": {
            "rows": {"type": "array", "minItems": 1, "items": row},
            "keys": {
                "type": ["array", "null"],
                "items": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
            },
            "at": {"type": ["string", "null"], "format": "date-time"},
            "priority": {"enum": ["high", "default", "low", None]},
            "webhook": {"type": ["string", "null"], "format": "uri"},
            "expires_seconds": {"type": ["number", "null"], "exclusiveMinimum": 0},
        },
    }


def _bulk_body(rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["jobs"],
        "additionalProperties": False,
        "properties": {"jobs": {"type": "array", "minItems": 1, "items": rows}},
    }


def _infer_body() -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
    }
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {"id": {"type": "string"}, "inputs": {"type": "array", "items": tensor}},
    }


def _answer(prediction: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["id", "model", "version", "predictions"],
        "properties": {
            "id": {"type": "string"},
            "model": {"type": "string"},
            "version": {"type": "string"},
            "predictions": {"type": "array", "items": prediction},
        },
    }
    return {"description": "The predictions", "content": {"application/json": {"schema": schema}}}


def _post(
    summary: str, tag: str, parameters: list[dict[str, Any]], body: dict[str, Any], responses: dict[str, Any]
) -> dict[str, Any]:
    return {
        "post": {
            "tags": [tag],
            "summary": summary,
            "parameters": parameters,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {**responses, "default": PROBLEM_ANSWER},
        }
    }
