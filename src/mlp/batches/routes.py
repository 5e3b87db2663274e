"""The routes of batch files: send one, list, show and wait, read the result and the bad rows, cancel."""

import asyncio
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from mlp.batches import schemas
from mlp.batches.batch import Batch, Options
from mlp.batches.choices import BatchState, Columns, Policy
from mlp.batches.formats import RESULT_TYPES, delimiter_of, format_of, result_ending
from mlp.batches.service import BatchService
from mlp.clock import monotonic
from mlp.errors import UploadIncomplete
from mlp.jobs.idempotency import parse_key
from mlp.jobs.preferences import WAIT_SECONDS_MAX
from mlp.storage.paging import LIMIT_DEFAULT

router = APIRouter(tags=["batch files"])

#: A batch ends with the last of many jobs, some of them on other machines: whoever waits looks this often.
_LOOK_SECONDS = 0.25
_TAKES_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_SHOWS_NEW_BATCH: dict[int | str, dict[str, Any]] = {202: {"model": schemas.Batch}}
_SHOWS_RESULT: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type.partition(";")[0]: {} for media_type in RESULT_TYPES.values()}}
}


def batch_service(request: Request) -> BatchService:
    """The batch service of the stack that this application serves."""
    return cast(BatchService, request.app.state.stack.batches)


Batches = Annotated[BatchService, Depends(batch_service)]


def file_options(
    request: Request,
    format: Annotated[str | None, Query(description="csv, jsonl or parquet; else by the Content-Type")] = None,
    policy: Annotated[
        Policy, Query(description="collect: a bad row is reported in its place; fail_fast: it ends the batch")
    ] = Policy.COLLECT,
    columns: Annotated[
        Columns, Query(description="what a row of the result holds: the prediction, or the row of the file before it")
    ] = Columns.PREDICTION,
    key: Annotated[str | None, Query(description="column or member with your own key of each row")] = None,
    delimiter: Annotated[str | None, Query(description="between the cells of a CSV; a comma unless said")] = None,
    missing: Annotated[
        str | None, Query(description="cells of a CSV that mean missing, separated by commas: NA,null")
    ] = None,
    ignore_extra: Annotated[bool, Query(description="leave out what is no input of the model")] = False,
    at: Annotated[str | None, Query(description="when it happened, for backfills; RFC 3339")] = None,
) -> Options:
    """How the file of a request is read and answered."""
    content_type = request.headers.get("content-type")
    return Options(
        format=format_of(format, content_type, request.headers.get("content-encoding")),
        policy=policy,
        columns=columns,
        key=key,
        delimiter=delimiter_of(delimiter, content_type),
        missing=() if missing is None else tuple(missing.split(",")),
        ignore_extra=ignore_extra,
        at=at,
    )


FileOptions = Annotated[Options, Depends(file_options)]


@router.post(
    "/v1/models/{model}/batches",
    status_code=202,
    responses=_SHOWS_NEW_BATCH,
    openapi_extra=_TAKES_FILE,
    summary="Predict a file",
)
async def add_batch(model: str, request: Request, batches: Batches, options: FileOptions) -> Response:
    """The batch: the file has arrived, and every row is answered by the version that is champion now.

    The body is cut into chunks as it comes. With an ``Idempotency-Key`` the same file is one batch.
    """
    return await _receive(request, batches, model, None, options)


@router.post(
    "/v1/models/{model}/versions/{version}/batches",
    status_code=202,
    responses=_SHOWS_NEW_BATCH,
    openapi_extra=_TAKES_FILE,
    summary="Predict a file by one version",
)
async def add_batch_of_version(
    model: str, version: str, request: Request, batches: Batches, options: FileOptions
) -> Response:
    """As above, answered by the version that a number or an alias names now."""
    return await _receive(request, batches, model, version, options)


@router.get("/v1/batches", summary="List batches")
def list_batches(
    batches: Batches,
    model: str | None = None,
    state: BatchState | None = None,
    idempotency_key: str | None = None,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> schemas.BatchList:
    """A page of batches, the newest first."""
    return schemas.batch_list(
        batches.list_batches(model=model, state=state, idempotency_key=idempotency_key, limit=limit, cursor=cursor)
    )


@router.get("/v1/batches/{batch_id}", summary="Show a batch, or wait for its end")
async def show_batch(
    batch_id: str,
    request: Request,
    batches: Batches,
    wait: Annotated[float, Query(ge=0, le=WAIT_SECONDS_MAX, description="seconds to wait for the batch's end")] = 0,
) -> schemas.Batch:
    """The batch when it has ended, or as it is after ``wait`` seconds; waiting holds no thread."""
    deadline = monotonic() + wait
    while True:
        batch = await run_in_threadpool(batches.get, batch_id)
        remaining_seconds = deadline - monotonic()
        if batch.state.is_final or remaining_seconds <= 0 or request.app.state.stack.is_stopping:
            return schemas.batch_shape(batch)
        await asyncio.sleep(min(_LOOK_SECONDS, remaining_seconds))


@router.get("/v1/batches/{batch_id}/result", responses=_SHOWS_RESULT, summary="Read the result of a batch")
def read_result(
    batch_id: str,
    batches: Batches,
    partial: Annotated[bool, Query(description="of a batch that has not succeeded, what there is")] = False,
    from_chunk: Annotated[int, Query(ge=0, description="leave out what stands before this chunk, and the header")] = 0,
    chunks: Annotated[int | None, Query(ge=1, description="so many chunks at most")] = None,
) -> StreamingResponse:
    """The result file in the order of the rows, read from the chunks as it is sent; CSV for a CSV, else JSON lines."""
    batch, texts = batches.result(batch_id, is_partial=partial, first_chunk=from_chunk, chunks_max=chunks)
    ending = result_ending(batch.options.format)
    headers = {"Content-Disposition": f'attachment; filename="{batch.id}.{ending}"', "Cache-Control": "no-store"}
    return StreamingResponse(texts, headers=headers, media_type=RESULT_TYPES[ending])


@router.get("/v1/batches/{batch_id}/errors", summary="List the bad rows of a batch")
def list_errors(
    batch_id: str, batches: Batches, limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> schemas.RowErrorList:
    """A page of the bad rows found so far, in the order of the file."""
    return schemas.error_list(batches.list_errors(batch_id, limit=limit, cursor=cursor))


@router.delete("/v1/batches/{batch_id}", summary="Cancel a batch")
def cancel_batch(batch_id: str, batches: Batches) -> schemas.Batch:
    """The cancelled batch; what is done of it can be read with ``partial``."""
    return schemas.batch_shape(batches.cancel(batch_id))


async def _receive(
    request: Request, batches: BatchService, model: str, version: str | None, options: Options
) -> Response:
    key = parse_key(request.headers.get("idempotency-key"))
    try:
        batch = await batches.uploads.receive(model, version, options, request.stream(), idempotency_key=key)
    except ClientDisconnect as error:
        raise UploadIncomplete("the upload broke off: send it again") from error
    return _accepted(batch)


def _accepted(batch: Batch) -> Response:
    content = schemas.batch_shape(batch).model_dump_json()
    return Response(content, 202, {"Location": f"/v1/batches/{batch.id}"}, media_type="application/json")
