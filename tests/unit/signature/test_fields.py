"""Fields and signatures as documents: round trips, and every mistake named."""

from typing import Any

import pytest

from mlp.errors import BadModelFolder
from mlp.signature import DType, Field, Signature, Task


def test_signature_json_round_trip_is_identical() -> None:
    signature = Signature(
        Task.CLASSIFICATION,
        (
            Field("age", DType.INT64, nullable=True, minimum=0, maximum=120),
            Field("plan", DType.CATEGORY, categories=("a", "b"), unknown="count"),
            Field("image", DType.FLOAT32, shape=(3, -1)),
        ),
        (Field("label", DType.BOOL), Field("probabilities", DType.FLOAT64, shape=(2,))),
        classes=(False, True),
        positive_class=True,
        extra_columns="ignore",
    )

    assert Signature.from_json(signature.to_json()) == signature


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"name": "x", "dtype": "int63"}, "field 'x': unknown type 'int63'"),
        ({"name": "x", "dtype": "int64", "nulable": True}, "field 'x': unknown setting 'nulable'"),
        ({"name": "x", "dtype": "int64", "nullable": "yes"}, "field 'x': nullable = 'yes' is not allowed"),
        ({"name": "x", "dtype": "int64", "minimum": "0"}, "field 'x': minimum = '0' is not allowed"),
        ({"name": "x", "dtype": "category"}, "field 'x': a category needs its categories"),
        ({"name": "x", "dtype": "category", "categories": ["a", "a"]}, "a category stands twice"),
        ({"name": "x", "dtype": "string", "unknown": "maybe"}, 'expected "refuse" or "count"'),
        ({"name": "x", "dtype": "float32", "shape": [-2]}, "expected a list of sizes"),
        ({"name": "", "dtype": "int64"}, "a field needs a name"),
    ],
)
def test_field_from_json_mistake_is_named(document: dict[str, Any], message: str) -> None:
    with pytest.raises(BadModelFolder) as caught:
        Field.from_json(document)

    assert message in caught.value.message


def test_signature_from_json_input_twice_is_refused() -> None:
    field = Field("x", DType.INT64).to_json()

    with pytest.raises(BadModelFolder, match="input 'x' stands twice"):
        Signature.from_json({"task": "regression", "inputs": [field, field]})


def test_score_column_is_the_second_class_unless_the_positive_one_is_named() -> None:
    inputs = (Field("x", DType.FLOAT64),)

    assert Signature(Task.CLASSIFICATION, inputs, classes=("no", "yes")).score_column == 1
    assert Signature(Task.CLASSIFICATION, inputs, classes=("no", "yes"), positive_class="no").score_column == 0
    assert Signature(Task.CLASSIFICATION, inputs, classes=("a", "b", "c")).score_column is None
    assert Signature(Task.REGRESSION, inputs).score_column is None
