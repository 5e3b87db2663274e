"""Reads and writes the tensors of the Open Inference Protocol v2 (REST), checked against a signature.

A column is a tensor of shape [rows] (or [rows, 1]); a model whose inputs are all plain numbers of one type also
takes them as one tensor [rows, inputs]. Text, categories and times travel as BYTES. Source: kserve,
open-inference-protocol, specification/protocol/inference_rest.md, "Tensor Data" and "Tensor Data Types".
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from mlp.errors import SignatureMismatch
from mlp.signature.batch import Array, Batch, Outputs, RowValues, from_matrix, to_column
from mlp.signature.fields import FLOATS, INTEGERS, NUMPY_DTYPES, DType, Field, Signature
from mlp.signature.rows import ValueReader, shown, value_reader

DATATYPES: dict[DType, str] = {
    DType.BOOL: "BOOL",
    DType.INT8: "INT8",
    DType.INT16: "INT16",
    DType.INT32: "INT32",
    DType.INT64: "INT64",
    DType.UINT8: "UINT8",
    DType.UINT16: "UINT16",
    DType.UINT32: "UINT32",
    DType.UINT64: "UINT64",
    DType.FLOAT16: "FP16",
    DType.FLOAT32: "FP32",
    DType.FLOAT64: "FP64",
    DType.STRING: "BYTES",
    DType.CATEGORY: "BYTES",
    DType.DATETIME: "BYTES",
}
_DEPTH_MAX = 32  # dimensions of a tensor; NumPy's own limit is 64
_ELEMENTS_MAX = 2**31 - 1


class TensorReader:
    """Reads the inputs of infer requests for one signature; keep one per version."""

    def __init__(self, model: str, signature: Signature) -> None:
        self._model = model
        self._signature = signature
        self._readers = {item.name: _flat_reader(item) for item in signature.inputs}

    def read(self, inputs: Sequence[Mapping[str, Any]]) -> Batch:
        """The batch that the request's ``inputs`` hold.

        Raises:
            SignatureMismatch: A name, datatype, shape, count or value that does not fit; the texts follow Triton's.
        """
        if self._is_matrix(inputs):
            return self._read_matrix(inputs[0])
        self._check_names([_name_of(tensor) for tensor in inputs])
        columns: dict[str, Array] = {}
        nulls: dict[str, Array] = {}
        rows: int | None = None
        for tensor in inputs:
            item = self._signature.inputs_by_name[_name_of(tensor)]
            column, mask = self._column(item, tensor)
            if rows is not None and len(column) != rows:
                raise SignatureMismatch(
                    f"input '{item.name}' batch size does not match other inputs for '{self._model}'"
                )
            rows = len(column)
            columns[item.name] = column
            if mask is not None:
                nulls[item.name] = mask
        ordered = {name: columns[name] for name in self._signature.input_names}
        if self._signature.matrix_dtype is not None:
            return from_matrix(self._signature, np.column_stack(list(ordered.values())))
        return Batch(0 if rows is None else rows, ordered, nulls)

    def _is_matrix(self, inputs: Sequence[Mapping[str, Any]]) -> bool:
        """One tensor [rows, inputs] for a model of plain numbers, whatever the client calls it."""
        if self._signature.matrix_dtype is None or len(inputs) != 1:
            return False
        shape = inputs[0].get("shape")
        if not isinstance(shape, list) or len(shape) != 2:
            return False
        return len(self._signature.inputs) > 1 or inputs[0].get("name") not in self._signature.inputs_by_name

    def _read_matrix(self, tensor: Mapping[str, Any]) -> Batch:
        dtype = self._signature.matrix_dtype
        assert dtype is not None
        shape = _shape_of(tensor)
        width = len(self._signature.inputs)
        if shape[1] != width:
            raise SignatureMismatch(
                f"unexpected shape for input '{_name_of(tensor)}' for model '{self._model}'. "
                f"Expected [-1,{width}], got {_text(shape)}."
            )
        self._check_datatype(tensor, Field(_name_of(tensor), dtype))
        flat = self._elements(tensor, shape)
        values = [
            self._readers[item.name](value, index // width)
            for index, (item, value) in enumerate(
                zip(chain.from_iterable([self._signature.inputs] * shape[0]), flat, strict=True)
            )
        ]
        return from_matrix(self._signature, np.array(values, dtype=NUMPY_DTYPES[dtype]).reshape(shape))

    def _column(self, item: Field, tensor: Mapping[str, Any]) -> tuple[Array, Array | None]:
        self._check_datatype(tensor, item)
        shape = _shape_of(tensor)
        trailing = shape[1:]
        fits = len(shape) >= 1 and (
            (item.shape == () and trailing in ((), (1,)))
            or (
                len(trailing) == len(item.shape)
                and all(want in (-1, got) for want, got in zip(item.shape, trailing, strict=True))
            )
        )
        if not fits:
            raise SignatureMismatch(
                f"unexpected shape for input '{item.name}' for model '{self._model}'. "
                f"Expected {_text((-1, *item.shape))}, got {_text(shape)}."
            )
        flat = self._elements(tensor, shape)
        per_row = max(1, len(flat) // shape[0]) if shape[0] else 1
        read = self._readers[item.name]
        values = [read(value, index // per_row) for index, value in enumerate(flat)]
        return _array(item, values, (shape[0], *(trailing if item.shape else ())))

    def _elements(self, tensor: Mapping[str, Any], shape: tuple[int, ...]) -> list[Any]:
        flat = _flattened(_name_of(tensor), tensor.get("data"))
        expected = int(np.prod(shape, dtype=object)) if shape else 1
        if len(flat) != expected:
            raise SignatureMismatch(
                f"input '{_name_of(tensor)}': its shape {_text(shape)} needs {expected} elements, got {len(flat)}"
            )
        return flat

    def _check_datatype(self, tensor: Mapping[str, Any], item: Field) -> None:
        datatype = tensor.get("datatype")
        if datatype != DATATYPES[item.dtype]:
            raise SignatureMismatch(
                f"inference input '{item.name}' data-type is '{datatype}', "
                f"but model '{self._model}' expects '{DATATYPES[item.dtype]}'"
            )
        if item.dtype is DType.FLOAT16:
            raise SignatureMismatch(
                f"receiving FP16 data via JSON is not supported. Please use the binary data format for input "
                f"'{item.name}'"
            )

    def _check_names(self, names: list[str]) -> None:
        expected = self._signature.input_names
        for name in names:
            if names.count(name) > 1:
                raise SignatureMismatch(f"input '{name}' stands twice in the request for model '{self._model}'")
        if set(names) == set(expected):
            return
        missing = [name for name in expected if name not in names]
        extra = [name for name in names if name not in expected]
        parts = [f"missing required input(s) {missing}"] if missing else []
        parts += [f"unexpected input(s) {extra}"] if extra else []
        raise SignatureMismatch(
            f"expected {len(expected)} inputs but got {len(names)} inputs for model '{self._model}': "
            f"{'; '.join(parts)}. Got input(s) {names}; its inputs are {list(expected)}."
        )


def _flat_reader(item: Field) -> ValueReader:
    """Reads one element; null in a float tensor means NaN, since JSON has no NaN (RFC 8259 section 6)."""
    read = value_reader(
        Field(item.name, item.dtype, item.nullable, item.minimum, item.maximum, item.categories, item.unknown)
    )
    if item.dtype is DType.BOOL:
        return lambda value, row: read(bool(value) if type(value) is int and value in (0, 1) else value, row)
    return read


def _array(item: Field, values: list[Any], shape: tuple[int, ...]) -> tuple[Array, Array | None]:
    column, mask = to_column(Field(item.name, item.dtype, item.nullable), values)
    return column.reshape(shape), mask if mask is None else mask.reshape(shape)


def _name_of(tensor: Mapping[str, Any]) -> str:
    name = tensor.get("name")
    if not isinstance(name, str) or not name:
        raise SignatureMismatch(f"every input needs a 'name', got {shown(name)}")
    return name


def _shape_of(tensor: Mapping[str, Any]) -> tuple[int, ...]:
    shape = tensor.get("shape")
    name = _name_of(tensor)
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size <= _ELEMENTS_MAX for size in shape):
        raise SignatureMismatch(f"input '{name}': 'shape' must be a list of sizes from 0, got {shown(shape)}")
    if len(shape) > _DEPTH_MAX:
        raise SignatureMismatch(f"input '{name}': a shape of {len(shape)} dimensions exceeds the limit of {_DEPTH_MAX}")
    return tuple(shape)


def _text(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _flattened(name: str, values: Any) -> list[Any]:
    """The elements of nested or flat data, row-major; ragged nesting is refused."""
    if not isinstance(values, list):
        raise SignatureMismatch(f"input '{name}': 'data' must be a list, got {shown(values)}")
    flat: list[Any] = values
    for _level in range(_DEPTH_MAX):
        kinds = {type(value) is list for value in flat}
        if True not in kinds:
            return flat
        if len(kinds) > 1 or len({len(value) for value in flat}) > 1:
            raise SignatureMismatch(f"input '{name}': 'data' is ragged: its lists differ in length or depth")
        flat = list(chain.from_iterable(flat))
    raise SignatureMismatch(f"input '{name}': 'data' is nested deeper than {_DEPTH_MAX} lists")


def rows_of(signature: Signature, batch: Batch) -> list[RowValues]:
    """The batch as rows of plain values (None for null, times as datetime64), in the order of the inputs."""
    columns = []
    for item in signature.inputs:
        column = batch.columns[item.name]
        values: list[Any] = list(column) if item.dtype is DType.DATETIME else column.tolist()
        mask = batch.nulls.get(item.name)
        if mask is not None:
            values = [None if is_null else value for value, is_null in zip(values, mask, strict=True)]
        columns.append(values)
    return list(zip(*columns, strict=True))


def metadata_tensor(item: Field) -> dict[str, Any]:
    """The field as model metadata shows it; the leading -1 is the batch."""
    return {"name": item.name, "datatype": DATATYPES[item.dtype], "shape": [-1, *item.shape]}


def output_tensor(item: Field, array: Array) -> dict[str, Any]:
    """One output of an infer response with its data as JSON: flat, row-major, null for NaN and infinities."""
    return {
        "name": item.name,
        "datatype": DATATYPES[item.dtype],
        "shape": list(array.shape),
        "data": _json_values(item, array),
    }


def _json_values(item: Field, array: Array) -> list[Any]:
    values: list[Any] = array.reshape(-1).tolist()
    if item.dtype in FLOATS:
        finite = np.isfinite(array.reshape(-1))
        return values if finite.all() else [value if ok else None for value, ok in zip(values, finite, strict=True)]
    if item.dtype in INTEGERS or item.dtype is DType.BOOL:
        return values
    return [None if value is None else str(value) for value in values]


def check_requested(model: str, signature: Signature, requested: Sequence[str] | None) -> None:
    """Return if the model has every requested output, each asked for once.

    Raises:
        SignatureMismatch: An unknown or repeated name.
    """
    known = {item.name for item in signature.outputs}
    for name in requested or ():
        if name not in known:
            raise SignatureMismatch(f"unexpected inference output '{name}' for model '{model}'")
        if list(requested or ()).count(name) > 1:
            raise SignatureMismatch(f"output '{name}' already exists in request")


def select_outputs(signature: Signature, outputs: Outputs, requested: Sequence[str] | None) -> list[dict[str, Any]]:
    """The response's ``outputs``: all of them, or those requested (and checked) in the requested order."""
    fields = {item.name: item for item in signature.outputs}
    return [output_tensor(fields[name], outputs[name]) for name in requested or fields]
