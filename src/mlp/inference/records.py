"""What is recorded of a request: the form in the spool, as cheap as possible to write, and its reading back.

On the hot path the request's body is kept as it came, with the answer's arrays beside it; the drain, off the
path, reads the body again with the same readers and makes database rows of it.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from mlp.clock import from_micros
from mlp.signature.batch import Outputs

BodyForm = Literal["rows", "tensors"]


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One request with its answer, as it stands in the spool.

    Attributes:
        form: How ``body`` is to be read: ``rows`` is the JSON of /v1, ``tensors`` the Open Inference Protocol's.
        outputs: Values by output name, one per row; None where they were too large to keep.
    """

    id: str
    model: str
    version: int
    role: str
    mode: str
    at_micros: int
    recorded_micros: int
    rows: int
    keys: list[str | None] | None
    form: BodyForm
    body: bytes
    outputs: dict[str, list[Any]] | None

    @property
    def at(self) -> datetime:
        """When the predicted event happened: given by the caller, or the moment of the request."""
        return from_micros(self.at_micros)

    @property
    def recorded_at(self) -> datetime:
        """When the answer left."""
        return from_micros(self.recorded_micros)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """The record's frame for the spool (MessagePack)."""
    return _encoder.encode(record)


def decode(frame: bytes) -> Record:
    """The record of a frame."""
    return _decoder.decode(frame)


def outputs_as_lists(outputs: Outputs, values_max: int) -> dict[str, list[Any]] | None:
    """The answer's arrays as plain lists, or None where they hold more than ``values_max`` values in all."""
    if sum(array.size for array in outputs.values()) > values_max:
        return None
    return {name: array.tolist() for name, array in outputs.items()}
