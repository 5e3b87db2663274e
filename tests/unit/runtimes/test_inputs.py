"""Inputs in the order of the model's features."""

import numpy as np
import pandas as pd
import pytest

from mlp.errors import VersionRefused
from mlp.runtimes.frames import FrameBuilder
from mlp.runtimes.inputs import check_count, float_matrix, in_model_order, matrix_of_frame
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_INPUTS = (Field("home town", DType.STRING), Field("age", DType.INT64))


def test_inputs_are_put_in_the_order_of_the_features() -> None:
    assert in_model_order(["age", "home_town"], _INPUTS) == (_INPUTS[1], _INPUTS[0])


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (["age", "home_town", "plan"], "trained with 'plan', which the signature lacks; its inputs are 'home town'"),
        (["age"], "was not trained with 'home town': take it out of the inputs"),
        ([f"f{index}" for index in range(10)], "'f6', 'f7' and 2 more, which the signature lacks"),
    ],
)
def test_inputs_that_are_not_the_features_are_refused_by_name(features: list[str], said: str) -> None:
    with pytest.raises(VersionRefused, match=said):
        in_model_order(features, _INPUTS)


def test_count_of_inputs_must_be_that_of_the_features() -> None:
    check_count(2, _INPUTS)

    with pytest.raises(VersionRefused, match=r"takes 3 inputs, its signature has 2 \('home town', 'age'\)"):
        check_count(3, _INPUTS)


def test_float_matrix_has_nan_for_null() -> None:
    inputs = (Field("a", DType.INT64, nullable=True), Field("b", DType.FLOAT32), Field("c", DType.BOOL))
    batch = from_rows(Signature(Task.REGRESSION, inputs), [(1, 0.5, True), (None, 2.0, False)])

    matrix = float_matrix(inputs)(batch)

    assert np.array_equal(matrix, [[1, 0.5, 1], [np.nan, 2, 0]], equal_nan=True)


@pytest.mark.parametrize(
    "dtypes", [("int64", "float64"), ("float32", "float32"), ("int8", "int64"), ("int64", "float32")]
)
def test_matrix_of_a_frame_is_what_numpy_makes_of_it(dtypes: tuple[str, str]) -> None:
    inputs = (Field("a", DType(dtypes[0])), Field("b", DType(dtypes[1]), nullable=dtypes[1] == "float64"))
    batch = from_rows(Signature(Task.REGRESSION, inputs), [(3, 4), (5, None if inputs[1].nullable else 6)])
    expected = np.asarray(FrameBuilder(inputs, is_masked=False, needed_by="test").build(batch))

    matrix = matrix_of_frame(inputs)(batch)

    assert matrix.dtype == expected.dtype
    assert np.array_equal(matrix, expected, equal_nan=True)
    assert (
        matrix.flags.f_contiguous == expected.flags.f_contiguous == pd.DataFrame(expected).to_numpy().flags.f_contiguous
    )
