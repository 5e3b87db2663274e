"""The bodies of prediction requests: the friendly form of /v1 and the protocol's of /v2, read and checked.

The doors read a body once, on the hot path; the drain reads a recorded one again, and job workers a queued one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from mlp.clock import from_micros, from_rfc3339, micros, to_rfc3339
from mlp.errors import MalformedBody, SignatureMismatch
from mlp.inference.records import Record
from mlp.signature import Batch, DType, Signature
from mlp.signature.batch import RowValues, from_rows
from mlp.signature.rows import RowReader
from mlp.signature.tensors import TensorReader, rows_of


class RowsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/models/{m}/predict`` and of a queued job.

    Attributes:
        webhook: Called when the job has ended; jobs alone have it, as they have priority and expires_seconds.
    """

    rows: list[Any]
    keys: list[str | None] | None = None
    at: str | None = None
    priority: str | None = None
    webhook: str | None = None
    expires_seconds: float | None = None


class RequestedOutput(msgspec.Struct):
    """One entry of ``outputs`` in an infer request."""

    name: str
    parameters: dict[str, Any] | None = None


class InferBody(msgspec.Struct):
    """The body of an infer request; members that the protocol does not name are ignored, as clients send some."""

    inputs: list[dict[str, Any]]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


Body = TypeVar("Body")

_rows_decoder = msgspec.json.Decoder(RowsBody)
_infer_decoder = msgspec.json.Decoder(InferBody)
#: Length of a caller's key; what the column of the database holds.
KEY_CHARACTERS_MAX = 255


def decode_rows(body: bytes) -> RowsBody:
    """The parsed body of a /v1 request.

    Raises:
        MalformedBody: Not JSON, or not of this form; the message says where.
    """
    try:
        parsed = decode_as(_rows_decoder, body)
    except MalformedBody as error:
        raise _bare_rows(body) or error from error.__cause__
    if not parsed.rows:
        raise SignatureMismatch("rows is empty: give at least one row")
    for key in parsed.keys or ():
        if key is not None and not 0 < len(key) <= KEY_CHARACTERS_MAX:
            raise MalformedBody(f"a key must have 1 to {KEY_CHARACTERS_MAX} characters, got {len(key)}")
    return parsed


def without_conditions(body: bytes, parsed: RowsBody) -> bytes:
    """The body without ``webhook`` and ``expires_seconds``, every other byte of a value as it came.

    They are no part of the question: they are not recorded with it, and a worker of the release before knows neither.
    """
    if parsed.webhook is None and parsed.expires_seconds is None:
        return body
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: raw for name, raw in members.items() if name not in _CONDITIONS})


_CONDITIONS = frozenset({"webhook", "expires_seconds"})


def _bare_rows(body: bytes) -> MalformedBody | None:
    """The most usual mistake: a row, or a list of rows, without the object around it; None where it is another."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(document, dict) and "rows" in document:
        return None
    return MalformedBody('the body has no "rows": put the rows into {"rows": [...]}')


def decode_infer(body: bytes) -> InferBody:
    """The parsed body of an infer request.

    Raises:
        MalformedBody: Not JSON, or not of this form; the message says where.
    """
    return decode_as(_infer_decoder, body)


def decode_as(
    decoder: "msgspec.json.Decoder[Body]", body: bytes, misfit: str = "the body does not have the expected form"
) -> Body:
    """The parsed body.

    Args:
        misfit: How the message begins where it is JSON of another form.

    Raises:
        MalformedBody: Not JSON, or of another form; the message says where.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise MalformedBody(f"{misfit}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"the body is not JSON: {error}") from error
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None


def event_micros(at: str | None) -> int | None:
    """Microseconds since 1970 of the caller's event time; None where none was given."""
    return None if at is None else micros(from_rfc3339(at))


@dataclass(frozen=True, slots=True)
class ReadBody:
    """An input that was read back: as rows, and as the batch that a runtime would receive."""

    signature: Signature
    rows: Sequence[RowValues]
    batch: Batch

    def json_rows(self) -> list[list[Any]]:
        """The rows' values in the order of the inputs, in forms that JSON can hold; times as RFC 3339."""
        times = [index for index, item in enumerate(self.signature.inputs) if item.dtype is DType.DATETIME]
        if not times:
            return [[_json(value) for value in row] for row in self.rows]
        return [
            [_time_text(value) if index in times else _json(value) for index, value in enumerate(row)]
            for row in self.rows
        ]


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value


def _time_text(value: Any) -> str | None:
    if value is None or value != value:  # NaT, like NaN, differs from itself
        return None
    return to_rfc3339(from_micros(int(value.astype("datetime64[us]").astype("int64"))))


class BodyReader:
    """Reads bodies again by the rules that they were accepted by; keep one per version, it learns like its readers."""

    def __init__(self, model: str, signature: Signature) -> None:
        self.signature = signature
        self._rows = RowReader(signature)
        self._tensors = TensorReader(model, signature)
        self._open_categories = [
            (index, frozenset(item.categories))
            for index, item in enumerate(signature.inputs)
            if item.categories is not None and item.unknown == "count"
        ]

    def count_unknown(self, rows: Sequence[RowValues]) -> int:
        """How many values lie outside a category that lets them through."""
        return sum(
            row[index] is not None and row[index] not in known for index, known in self._open_categories for row in rows
        )

    def read(self, record: Record) -> ReadBody:
        """The input of a recorded request.

        Raises:
            BadInput: It cannot be read: the signature is not the one that it was recorded under.
        """
        if record.form == "rows":
            rows = self._rows.read(decode_rows(record.body).rows)
            return ReadBody(self.signature, rows, from_rows(self.signature, rows))
        batch = self._tensors.read(decode_infer(record.body).inputs)
        return ReadBody(self.signature, rows_of(self.signature, batch), batch)
