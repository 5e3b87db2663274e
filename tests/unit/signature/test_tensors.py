"""Tensors of the Open Inference Protocol against signatures."""

from typing import Any

import numpy as np
import pytest

from mlp.errors import SignatureMismatch
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.tensors import TensorReader, check_requested, rows_of, select_outputs

NUMBERS = Signature(Task.REGRESSION, (Field("a", DType.FLOAT64), Field("b", DType.FLOAT64)))
MIXED = Signature(
    Task.REGRESSION,
    (Field("age", DType.INT64, nullable=True), Field("plan", DType.STRING), Field("since", DType.DATETIME)),
)


def tensor(name: str, datatype: str, shape: list[Any], data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def refusal(signature: Signature, *inputs: dict[str, Any]) -> str:
    with pytest.raises(SignatureMismatch) as caught:
        TensorReader("m", signature).read(inputs)
    return caught.value.message


def test_tensor_reader_matrix_under_any_name_is_taken_for_plain_numbers() -> None:
    batch = TensorReader("m", NUMBERS).read([tensor("input-0", "FP64", [2, 2], [[1, 2], [3.5, 4]])])

    assert batch.matrix is not None
    assert batch.matrix.tolist() == [[1.0, 2.0], [3.5, 4.0]]


def test_tensor_reader_columns_flat_and_with_a_second_dimension_of_one_are_the_same() -> None:
    reader = TensorReader("m", NUMBERS)

    flat = reader.read([tensor("b", "FP64", [2], [2, 4]), tensor("a", "FP64", [2], [1, 3])])
    tall = reader.read([tensor("a", "FP64", [2, 1], [[1], [3]]), tensor("b", "FP64", [2, 1], [2, 4])])

    assert flat.matrix is not None
    assert tall.matrix is not None
    assert flat.matrix.tolist() == tall.matrix.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_tensor_reader_mixed_columns_are_read_in_their_types() -> None:
    batch = TensorReader("m", MIXED).read(
        [
            tensor("age", "INT64", [2], [41, None]),
            tensor("plan", "BYTES", [2], ["pro", "free"]),
            tensor("since", "BYTES", [2], ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
        ]
    )

    assert batch.nulls["age"].tolist() == [False, True]
    assert rows_of(MIXED, batch)[1] == (None, "free", np.datetime64("2026-01-02", "us"))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([tensor("a", "FP64", [1], [1])], "missing required input(s) ['b']"),
        (
            [tensor("a", "FP64", [1], [1]), tensor("b", "FP64", [1], [1]), tensor("c", "FP64", [1], [1])],
            "unexpected input(s) ['c']",
        ),
        ([tensor("a", "FP64", [1], [1]), tensor("a", "FP64", [1], [1])], "input 'a' stands twice"),
        (
            [tensor("a", "INT64", [1], [1]), tensor("b", "FP64", [1], [1])],
            "data-type is 'INT64', but model 'm' expects",
        ),
        ([tensor("a", "FP64", [1], [1, 2]), tensor("b", "FP64", [1], [1])], "needs 1 elements, got 2"),
        ([tensor("a", "FP64", [2], [1, 2]), tensor("b", "FP64", [1], [1])], "batch size does not match"),
        ([tensor("x", "FP64", [1, 3], [1, 2, 3])], "Expected [-1,2], got [1,3]"),
        ([tensor("x", "FP64", [2, 2], [[1, 2], [3]])], "ragged"),
        ([tensor("x", "FP64", [16, 2**60 + 2], [1])], "'shape' must be a list of sizes"),
        ([tensor("x", "FP64", [2, -5], [1])], "'shape' must be a list of sizes"),
        ([tensor("x", "FP64", [1, 2], [1, "2"])], "input 'b', row 0: expected float64, got \"2\""),
        ([tensor("x", "FP64", [1, 2], None)], "'data' must be a list"),
        ([{"shape": [1, 2], "datatype": "FP64", "data": [1, 2]}], "every input needs a 'name'"),
        ([], "missing required input(s) ['a', 'b']"),
    ],
)
def test_tensor_reader_what_does_not_fit_is_refused_by_name(inputs: list[dict[str, Any]], message: str) -> None:
    assert message in refusal(NUMBERS, *inputs)


def test_tensor_reader_nesting_beyond_the_limit_is_refused() -> None:
    deep: Any = 1.0
    for _level in range(200):
        deep = [deep]

    assert "deeper" in refusal(NUMBERS, tensor("x", "FP64", [1, 2], deep))


def test_select_outputs_nan_is_null_and_order_is_the_requested_one() -> None:
    signature = Signature(
        Task.TENSORS, (Field("x", DType.FLOAT32),), (Field("y", DType.FLOAT32), Field("z", DType.INT64))
    )
    outputs = {"y": np.array([1.5, np.nan], dtype=np.float32), "z": np.array([1, 2])}

    chosen = select_outputs(signature, outputs, ["z", "y"])

    assert [item["name"] for item in chosen] == ["z", "y"]
    assert chosen[1] == {"name": "y", "datatype": "FP32", "shape": [2], "data": [1.5, None]}


@pytest.mark.parametrize(
    ("requested", "message"), [(["q"], "unexpected inference output 'q'"), (["y", "y"], "already")]
)
def test_requested_output_unknown_or_repeated_is_refused(requested: list[str], message: str) -> None:
    signature = Signature(Task.TENSORS, (Field("x", DType.FLOAT32),), (Field("y", DType.FLOAT32),))

    with pytest.raises(SignatureMismatch, match=message):
        check_requested("m", signature, requested)
