"""Class labels are read out of an ONNX file without the package onnx, which wrote it here."""

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from mlp.runtimes.onnx_graph import class_labels


def _graph(folder: Path, *attributes: dict[str, Any]) -> Path:
    """A graph of one node for each set of attributes; it is never run."""
    nodes = [helper.make_node("Any", ["x"], ["y"], domain="ai.onnx.ml", **members) for members in attributes]
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])
    path = folder / "model.onnx"
    path.write_bytes(helper.make_model(helper.make_graph(nodes, "test", [port], [port])).SerializeToString())
    return path


@pytest.mark.parametrize(
    ("attributes", "labels"),
    [
        ([{"classlabels_int64s": [0, 1, 300]}], (0, 1, 300)),
        ([{"classlabels_ints": [-1, 1]}], (-1, 1)),
        ([{"classlabels_strings": ["nö", "yes"], "post_transform": "NONE"}], ("nö", "yes")),
        ([{"classlabels_ints": [0, 1]}, {"other_ints": [5, 6]}, {"classlabels_strings": ["a", "b"]}], ("a", "b")),
        ([{"coefficients": [0.5, 1.5], "multi_class": 0}], None),
    ],
)
def test_labels_are_those_of_the_last_classifier(
    tmp_path: Path, attributes: list[dict[str, Any]], labels: tuple[Any, ...] | None
) -> None:
    assert class_labels(_graph(tmp_path, *attributes)) == labels


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 30, b"\x3a\x7f\x0a", bytes(range(256))])
def test_labels_of_a_damaged_file_are_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)

    assert class_labels(tmp_path / "model.onnx") is None
