"""The Open Inference Protocol v2 over REST, JSON form: health, metadata and infer, as clients of Triton know them.

Source: kserve, open-inference-protocol, specification/protocol/inference_rest.md; where its text is open,
Triton's behaviour decides. Errors are ``{"error": "…"}`` (api/errors.py).
"""

import asyncio
import time
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mlp import __version__
from mlp.errors import MalformedBody, ModelNotReady, VersionRefused
from mlp.inference.bodies import InferBody, decode_infer, event_micros
from mlp.inference.loaded_models import LoadedVersion
from mlp.inference.questions import Question
from mlp.inference.service import InferenceService, server_timing
from mlp.observability.routes import CountedRoute
from mlp.registry.service import RegistryService
from mlp.signature import Batch
from mlp.signature.tensors import check_requested, metadata_tensor, select_outputs

_encoder = msgspec.json.Encoder()
#: Only what is implemented and tested.
EXTENSIONS: list[str] = []


def _inference(request: Request) -> InferenceService:
    return cast("InferenceService", request.app.state.stack.inference)


def _registry(request: Request) -> RegistryService:
    return cast("RegistryService", request.app.state.stack.registry)


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encoder.encode(content), status, headers=headers, media_type="application/json")


async def server_live(_request: Request) -> Response:
    """Whether the process answers."""
    return _json({"live": True})


async def server_ready(request: Request) -> Response:
    """Whether every model can be asked."""
    if not request.app.state.stack.is_ready:
        raise ModelNotReady("not every model is loaded yet")
    return _json({"ready": True})


async def server_metadata(_request: Request) -> Response:
    """Name, version, and the extensions of the protocol that are served."""
    return _json({"name": "mlp", "version": __version__, "extensions": EXTENSIONS})


async def model_metadata(request: Request) -> Response:
    """Inputs and outputs of a model, or of one of its versions."""
    model, reference = request.path_params["model"], request.path_params.get("version")
    # The list of versions is in the database, which the loop must not wait for.
    return _json(await asyncio.to_thread(_metadata, _registry(request), model, reference))


def _metadata(registry: RegistryService, model: str, reference: str | None) -> dict[str, Any]:
    resolved = registry.resolve(model, reference)
    return {
        "name": resolved.model,
        "versions": [str(number) for number in registry.version_numbers(model)],
        "platform": resolved.runtime,
        "inputs": [metadata_tensor(item) for item in resolved.signature.inputs],
        "outputs": [metadata_tensor(item) for item in resolved.signature.outputs],
    }


async def model_ready(request: Request) -> Response:
    """Whether a model, or one of its versions, can be asked; loads it where it is not in memory."""
    try:
        version = await _inference(request).version(request.path_params["model"], request.path_params.get("version"))
    except VersionRefused as error:
        raise ModelNotReady(error.message) from error
    return _json({"name": version.name, "ready": True})


async def infer(request: Request) -> Response:
    """Answer the tensors of the request."""
    started = time.perf_counter()
    body = await request.body()
    parsed = decode_infer(body)
    requested = None if parsed.outputs is None else [output.name for output in parsed.outputs]
    question = _question(request.path_params["model"], request.path_params.get("version"), body, parsed, requested)
    answer = await _inference(request).predict(question)
    version = answer.version
    content: dict[str, Any] = {
        "model_name": version.name,
        "model_version": str(version.number),
        "id": answer.id if parsed.id is None else parsed.id,
        "parameters": {"inference_id": answer.id},
        "outputs": select_outputs(version.signature, answer.outputs, requested),
    }
    timing = server_timing(answer.timing, time.perf_counter() - started)
    return _json(content, headers={"server-timing": timing})


def _question(
    model: str, reference: str | None, body: bytes, parsed: InferBody, requested: list[str] | None
) -> Question:
    """The caller's ``id`` is its key for the request, unless ``parameters.keys`` names one per row."""
    parameters = {} if parsed.parameters is None else parsed.parameters
    keys = parameters.get("keys")
    if isinstance(keys, str):
        keys = keys.split(",")
    if keys is not None and not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        raise MalformedBody("parameters.keys must be a text with one key per row, separated by commas")
    at = parameters.get("at")
    if at is not None and not isinstance(at, str):
        raise MalformedBody("parameters.at must be an RFC 3339 time")

    def read(loaded: LoadedVersion) -> Batch:
        # Before anything runs: an answer that cannot leave must not be made, nor recorded.
        check_requested(loaded.name, loaded.signature, requested)
        return loaded.tensor_reader.read(parsed.inputs)

    return Question(
        model=model,
        reference=reference,
        read=read,
        body=body,
        form="tensors",
        keys=keys,
        client_id=parsed.id,
        at_micros=event_micros(at),
    )


_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
HOT_ROUTES = [
    CountedRoute(f"{_MODEL}/infer", infer, methods=["POST"]),
    CountedRoute(f"{_VERSION}/infer", infer, methods=["POST"]),
]
ROUTES = [
    CountedRoute("/v2/health/live", server_live, methods=["GET"]),
    CountedRoute("/v2/health/ready", server_ready, methods=["GET"]),
    CountedRoute("/v2", server_metadata, methods=["GET"]),
    CountedRoute("/v2/", server_metadata, methods=["GET"]),
    CountedRoute(f"{_MODEL}/ready", model_ready, methods=["GET"]),
    CountedRoute(f"{_VERSION}/ready", model_ready, methods=["GET"]),
    CountedRoute(_MODEL, model_metadata, methods=["GET"]),
    CountedRoute(_VERSION, model_metadata, methods=["GET"]),
]
