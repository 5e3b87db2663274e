"""ONNX: a graph in model.onnx, run by ONNX Runtime; optionally ``preprocess`` in model.py.

Inputs and outputs are described by the graph, served as tensors. Classifiers exported from scikit-learn or LightGBM
(outputs label and probabilities) are served as classifications; a graph with one input [rows, n] takes n columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from mlp.errors import MissingExtra, VersionRefused
from mlp.runtimes.answers import as_array, is_frame, with_classes
from mlp.runtimes.base import Described, LoadedModel
from mlp.runtimes.guard import GuardedModel
from mlp.runtimes.inputs import check_count, own_code_input
from mlp.runtimes.onnx_graph import class_labels
from mlp.runtimes.source import explained, find_preprocess, importing_from
from mlp.signature import Batch, DType, Field, Outputs, Signature, Task
from mlp.signature.batch import Array
from mlp.signature.fields import FLOATS, NUMPY_DTYPES

MODEL_FILE = "model.onnx"

_DTYPES = {"float": DType.FLOAT32, "double": DType.FLOAT64} | {
    dtype.value: dtype for dtype in DType if dtype not in (DType.CATEGORY, DType.DATETIME)
}


class OnnxRuntime:
    """Loads model.onnx."""

    name = "onnx"

    def describe(self, folder: Path) -> Described:
        session = _session(folder, threads=1)
        inputs = tuple(_Port.of(item) for item in session.get_inputs())
        outputs = tuple(_Port.of(item) for item in session.get_outputs())
        is_table = _is_classifier(outputs) or (len(inputs) > 1 and all(port.shape == (1,) for port in inputs))
        fields = tuple(port.field(as_column=is_table) for port in inputs)
        only = fields[0].shape if len(fields) == 1 else ()
        return Described(
            signature=_described_signature(fields, outputs, class_labels(folder / MODEL_FILE)),
            trained_with={},
            input_count=only[0] if len(only) == 1 and only[0] > 0 else None,
        )

    def load(self, folder: Path, signature: Signature, threads: int) -> LoadedModel:
        session = _session(folder, threads)
        with importing_from(folder):
            code, preprocess = find_preprocess(folder)
        inputs = tuple(_Port.of(item) for item in session.get_inputs())
        outputs = tuple(_Port.of(item) for item in session.get_outputs())
        assemble = (
            _assembler(inputs, signature) if preprocess is None else _own_assembler(inputs, signature, preprocess)
        )
        run = _run_by_row(session, inputs) if any(port.is_single_row for port in inputs) else _run(session)
        read = _classifier_reader(signature) if _is_classifier(outputs) else _by_name(outputs)
        return GuardedModel(
            signature,
            folder,
            threads,
            lambda batch: read(run(assemble(batch))),
            None if code is None else code.close,
        )


def _session(folder: Path, threads: int) -> Any:
    path = folder / MODEL_FILE
    if not path.is_file():
        raise VersionRefused(f"the folder has no {MODEL_FILE}, which the runtime onnx loads")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra('an ONNX model needs ONNX Runtime: pip install "mlp-stack[onnx]"') from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; warnings about the graph are for those who export it
    # Idle threads of one model must not spin on cores that others need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise VersionRefused(f"{MODEL_FILE} does not load: {explained(error, folder)}") from error


@dataclass(frozen=True, slots=True)
class _Port:
    """One input or output of the graph.

    Attributes:
        dtype: None for an output that is no tensor.
        shape: Sizes behind the batch dimension, -1 where they vary.
        is_single_row: The graph was exported for exactly one row.
    """

    name: str
    dtype: DType | None
    shape: tuple[int, ...]
    is_single_row: bool

    @classmethod
    def of(cls, described: Any) -> "_Port":
        name, text = described.name, described.type
        if not text.startswith("tensor("):
            return cls(name, None, (), False)
        dtype = _DTYPES.get(text.removeprefix("tensor(").removesuffix(")"))
        if dtype is None:
            raise VersionRefused(f"{MODEL_FILE}: '{name}' is a {text}, which no signature can hold")
        if not described.shape:
            raise VersionRefused(f"{MODEL_FILE}: '{name}' has no batch dimension; export the model with one")
        first, *rest = described.shape
        if isinstance(first, int) and first > 1:
            raise VersionRefused(
                f"{MODEL_FILE}: '{name}' takes exactly {first} rows; export the model with a dynamic batch dimension"
            )
        shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in rest)
        return cls(name, dtype, shape, first == 1)

    def field(self, *, as_column: bool) -> Field:
        """The field that describes it; as a plain column where its only further dimension is 1."""
        if self.dtype is None:
            raise VersionRefused(f"{MODEL_FILE}: '{self.name}' is no tensor, which no signature can hold")
        return Field(self.name, self.dtype, shape=() if as_column and self.shape == (1,) else self.shape)


def _is_classifier(outputs: Sequence[_Port]) -> bool:
    """Whether the outputs are a label and its probabilities, as converters for scikit-learn and LightGBM name them."""
    if len(outputs) != 2:
        return False
    label, probabilities = outputs
    has_label = label.dtype in (DType.INT64, DType.STRING, DType.BOOL) and label.shape in ((), (1,))
    return has_label and (probabilities.dtype is None or ("label" in label.name and "prob" in probabilities.name))


def _described_signature(
    inputs: tuple[Field, ...], outputs: Sequence[_Port], labels: tuple[int | str, ...] | None
) -> Signature:
    if _is_classifier(outputs):
        return with_classes(Signature(Task.TENSORS, inputs), labels, has_probabilities=True)
    return Signature(Task.TENSORS, inputs, tuple(port.field(as_column=False) for port in outputs))


def _assembler(ports: Sequence[_Port], signature: Signature) -> Callable[[Batch], dict[str, Array]]:
    by_name = signature.inputs_by_name
    for item in signature.inputs:
        if item.nullable and item.dtype not in FLOATS:
            raise VersionRefused(f"input '{item.name}' may be null, and ONNX has no null for {item.dtype.value}")
    if len(ports) == 1 and ports[0].name not in by_name:
        return _stacker(ports[0], signature)
    missing = [port.name for port in ports if port.name not in by_name]
    extra = [name for name in by_name if name not in {port.name for port in ports}]
    if missing or extra:
        wanted = ", ".join(port.name for port in ports)
        raise VersionRefused(f"the graph's inputs are {wanted}; the signature has {', '.join(by_name)}")

    def assemble(batch: Batch) -> dict[str, Array]:
        return {port.name: _fitted(batch.columns[port.name], port) for port in ports}

    return assemble


def _stacker(port: _Port, signature: Signature) -> Callable[[Batch], dict[str, Array]]:
    """The columns side by side as the graph's only input [rows, columns]."""
    if len(port.shape) != 1 or any(item.shape for item in signature.inputs):
        listed = ", ".join(signature.input_names)
        raise VersionRefused(f"the graph's input is '{port.name}'; the signature has {listed}")
    if port.shape[0] != -1:
        check_count(port.shape[0], signature.inputs)
    names, dtype = signature.input_names, _numpy_dtype(port)

    def assemble(batch: Batch) -> dict[str, Array]:
        matrix = np.empty((batch.rows, len(names)), dtype=dtype)
        for position, name in enumerate(names):
            matrix[:, position] = batch.columns[name]
        return {port.name: matrix}

    return assemble


def _own_assembler(
    ports: Sequence[_Port], signature: Signature, preprocess: Callable[[Any], Any]
) -> Callable[[Batch], dict[str, Array]]:
    build = own_code_input(signature)

    def assemble(batch: Batch) -> dict[str, Array]:
        prepared = preprocess(build(batch))
        names = {str(name) for name in prepared.columns} if is_frame(prepared) else set()
        if isinstance(prepared, dict) or (names and names == {port.name for port in ports}):
            return {port.name: _fitted(as_array(prepared[port.name]), port) for port in ports}
        return {ports[0].name: _fitted(as_array(prepared), ports[0])}

    return assemble


def _numpy_dtype(port: _Port) -> np.dtype[Any]:
    return NUMPY_DTYPES[port.dtype if port.dtype is not None else DType.FLOAT32]


def _fitted(array: Array, port: _Port) -> Array:
    """The array in the graph's type; a plain column becomes [rows, 1] where the graph wants that."""
    if array.ndim == 1 and port.shape == (1,):
        array = array.reshape(-1, 1)
    return np.ascontiguousarray(array, dtype=_numpy_dtype(port))


def _run(session: Any) -> Callable[[dict[str, Array]], list[Any]]:
    run: Callable[..., list[Any]] = session.run
    return lambda feed: run(None, feed)


def _run_by_row(session: Any, ports: Sequence[_Port]) -> Callable[[dict[str, Array]], list[Any]]:
    """Runs a graph that was exported for one row once for each row."""
    first = ports[0].name

    def run(feed: dict[str, Array]) -> list[Any]:
        rows = len(feed[first])
        answers = [
            session.run(None, {name: array[row : row + 1] for name, array in feed.items()}) for row in range(rows)
        ]
        return [
            list(chain.from_iterable(parts)) if isinstance(parts[0], list) else np.concatenate(parts)
            for parts in zip(*answers, strict=True)
        ]

    return run


def _by_name(ports: Sequence[_Port]) -> Callable[[list[Any]], Outputs]:
    names = [port.name for port in ports]
    return lambda answers: dict(zip(names, answers, strict=True))


def _classifier_reader(signature: Signature) -> Callable[[list[Any]], Outputs]:
    classes = signature.classes

    def read(answers: list[Any]) -> Outputs:
        label, probabilities = answers
        if isinstance(probabilities, list):  # a dict for each row, by class
            keys = list(probabilities[0]) if probabilities else []
            probabilities = np.array([[row[key] for key in keys] for row in probabilities], dtype=np.float64)
        outputs = {"label": label.reshape(-1), "probabilities": probabilities}
        # Classes that the author named otherwise than the graph numbers them: the label is the most probable one.
        if classes is not None and label.dtype.kind in "iu" and not all(isinstance(item, int) for item in classes):
            del outputs["label"]
        return outputs

    return read
