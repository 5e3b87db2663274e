"""ONNX: inputs and outputs as the graph says, and exported classifiers as classifications."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlp.errors import VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.onnx import OnnxRuntime
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_X = np.random.default_rng(5).normal(size=(60, 3)).astype(np.float32)
_COLUMNS = tuple(Field(name, DType.FLOAT32) for name in ("a", "b", "c"))


def _save_graph(folder: Path, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> Path:
    model = helper.make_model(
        helper.make_graph(nodes, "test", inputs, outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder


def _sum_graph(folder: Path, batch: Any = "rows") -> Path:
    """total [rows, 1] = the sum of image [rows, 2, sides], and image again."""

    def constant(name: str, *values: int) -> Any:
        return helper.make_node(
            "Constant", [], [name], value=helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
        )

    def port(name: str, *shape: Any) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *shape])

    nodes = [
        constant("one", 1),
        constant("axes", 1, 2),
        helper.make_node("ReduceSum", ["image", "axes"], ["summed"], keepdims=0),
        helper.make_node("Unsqueeze", ["summed", "one"], ["total"]),
        helper.make_node("Identity", ["image"], ["same"]),
    ]
    return _save_graph(folder, nodes, [port("image", 2, "sides")], [port("total", 1), port("same", 2, "sides")])


def _classifier(folder: Path, labels: Sequence[Any], zipmap: bool) -> Any:
    target = np.array(labels)[(_X[:, 0] > 0).astype(int) + (len(labels) > 2) * (_X[:, 1] > 0)]
    estimator = LogisticRegression().fit(_X, target)
    model = to_onnx(estimator, _X[:1], options={id(estimator): {"zipmap": zipmap}})
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return estimator


def test_graph_is_described_as_tensors_of_its_shapes(tmp_path: Path) -> None:
    described = OnnxRuntime().describe(_sum_graph(tmp_path))

    assert described.signature == Signature(
        Task.TENSORS,
        (Field("image", DType.FLOAT32, shape=(2, -1)),),
        (Field("total", DType.FLOAT32, shape=(1,)), Field("same", DType.FLOAT32, shape=(2, -1))),
    )


def test_tensors_are_answered_by_name_in_the_graph_s_types(tmp_path: Path) -> None:
    described = OnnxRuntime().describe(_sum_graph(tmp_path))
    assert described.signature is not None
    batch = from_rows(described.signature, [([[1, 2], [3, 4]],), ([[5, 6], [7, 8]],)])

    outputs = OnnxRuntime().load(tmp_path, described.signature, 1).predict(batch)

    assert outputs["total"].tolist() == [[10.0], [26.0]]
    assert outputs["same"].dtype == np.float32


def test_graph_for_one_row_is_run_row_by_row(tmp_path: Path) -> None:
    described = OnnxRuntime().describe(_sum_graph(tmp_path, batch=1))
    assert described.signature is not None
    batch = from_rows(described.signature, [([[1, 2], [3, 4]],), ([[5, 6], [7, 8]],)])

    outputs = OnnxRuntime().load(tmp_path, described.signature, 1).predict(batch)

    assert outputs["total"].tolist() == [[10.0], [26.0]]


def test_graph_for_a_fixed_number_of_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VersionRefused, match="'image' takes exactly 8 rows; export the model with a dynamic batch"):
        OnnxRuntime().describe(_sum_graph(tmp_path, batch=8))


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("labels", [("no", "yes"), (0, 1), (-3, 5, 7)])
def test_exported_classifier_answers_label_and_probabilities(
    tmp_path: Path, labels: tuple[Any, ...], zipmap: bool
) -> None:
    estimator = _classifier(tmp_path, labels, zipmap)
    described = OnnxRuntime().describe(tmp_path)
    assert described.signature is not None
    signature = with_classes(Signature(Task.TENSORS, _COLUMNS), described.signature.classes, has_probabilities=True)

    outputs = OnnxRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, _X.tolist()))

    assert described.signature.classes == tuple(sorted(labels))
    assert described.input_count == 3
    assert outputs["label"].tolist() == estimator.predict(_X).tolist()
    assert outputs["probabilities"] == pytest.approx(estimator.predict_proba(_X), abs=1e-5)
    assert outputs["probabilities"].dtype == np.float64


def test_answers_are_bit_equal_to_the_session_s(tmp_path: Path) -> None:
    _classifier(tmp_path, (0, 1), zipmap=False)
    signature = with_classes(Signature(Task.TENSORS, _COLUMNS), (0, 1), has_probabilities=True)

    outputs = OnnxRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, _X.tolist()))

    expected = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"X": _X})[1]
    assert np.array_equal(outputs["probabilities"], expected.astype(np.float64))


def test_numbered_classes_may_be_given_names(tmp_path: Path) -> None:
    estimator = _classifier(tmp_path, (0, 1), zipmap=False)
    signature = with_classes(Signature(Task.TENSORS, _COLUMNS), ("stays", "leaves"), has_probabilities=True)

    outputs = OnnxRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, _X.tolist()))

    assert outputs["label"].tolist() == np.where(estimator.predict(_X) == 1, "leaves", "stays").tolist()


def test_graph_with_an_input_for_each_column_takes_plain_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": _X[:, 0], "plan": ["basic", "plus"] * 30})
    transformer = make_column_transformer((OneHotEncoder(), ["plan"]), remainder="passthrough")
    estimator = make_pipeline(transformer, LogisticRegression()).fit(frame, _X[:, 0] > 0)
    model = to_onnx(estimator, frame[:1])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    described = OnnxRuntime().describe(tmp_path)
    assert described.signature is not None
    signature = with_classes(described.signature, (0, 1), has_probabilities=True)

    outputs = OnnxRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, [(1.5, "plus"), (-1.5, "basic")]))

    assert signature.inputs == (Field("age", DType.FLOAT32), Field("plan", DType.STRING))
    assert outputs["label"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (_COLUMNS[:2], r"takes 3 inputs, its signature has 2 \('a', 'b'\)"),
        ((Field("a", DType.INT64, nullable=True), *_COLUMNS[1:]), "'a' may be null, and ONNX has no null for int64"),
        ((Field("a", DType.FLOAT32, shape=(3,)),), "the graph's input is 'X'; the signature has a"),
    ],
)
def test_signature_that_the_graph_cannot_take_is_refused(tmp_path: Path, inputs: tuple[Field, ...], said: str) -> None:
    _classifier(tmp_path, (0, 1), zipmap=False)

    with pytest.raises(VersionRefused, match=said):
        OnnxRuntime().load(tmp_path, Signature(Task.TENSORS, inputs), 1)


@pytest.mark.parametrize("form", ["frame[['a', 'b', 'c']]", "{'X': frame.to_numpy()}", "frame.to_numpy()"])
def test_preprocess_may_return_a_frame_an_array_or_a_dict(tmp_path: Path, form: str) -> None:
    estimator = _classifier(tmp_path, (0, 1), zipmap=False)
    (tmp_path / "model.py").write_text(f"def preprocess(frame):\n    return {form}\n")
    inputs = tuple(Field(name, DType.FLOAT64) for name in ("a", "b", "c"))
    signature = with_classes(Signature(Task.TENSORS, inputs), (0, 1), has_probabilities=True)

    outputs = OnnxRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, _X.astype(float).tolist()))

    assert outputs["label"].tolist() == estimator.predict(_X).tolist()


def test_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")

    with pytest.raises(VersionRefused, match=r"model\.onnx does not load"):
        OnnxRuntime().describe(tmp_path)
