"""The table [inputs]: example and reference together, what the author adds, and how it is written."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from mlp.client.inputs import amended, inputs_table, widened
from mlp.client.toml_text import to_toml
from mlp.errors import BadInput, BadModelFolder
from mlp.signature.fields import DType, Field

AGE = Field("age", DType.INT64)
CITY = Field("city", DType.CATEGORY, categories=("A", "B"))


def test_reference_with_missing_values_makes_an_input_nullable() -> None:
    (age,) = widened([AGE], [replace(AGE, nullable=True)])

    assert age.nullable


@pytest.mark.parametrize(
    ("example", "reference", "expected"),
    [
        (DType.INT64, DType.FLOAT64, DType.FLOAT64),
        (DType.FLOAT32, DType.FLOAT64, DType.FLOAT32),
        (DType.FLOAT64, DType.INT64, DType.FLOAT64),
        (DType.INT32, DType.INT64, DType.INT32),
        (DType.STRING, DType.STRING, DType.STRING),
    ],
)
def test_types_that_go_together_are_widened(example: DType, reference: DType, expected: DType) -> None:
    (age,) = widened([replace(AGE, dtype=example)], [replace(AGE, dtype=reference)])

    assert age.dtype is expected


def test_categories_of_both_are_united() -> None:
    (city,) = widened([CITY], [replace(CITY, categories=("B", "C"))])

    assert city.categories == ("A", "B", "C")


def test_category_survives_a_reference_read_from_text() -> None:
    (city,) = widened([CITY], [Field("city", DType.STRING)])

    assert (city.dtype, city.categories) == (DType.CATEGORY, ("A", "B"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ([], "the reference rows lack the inputs age"),
        ([AGE, CITY], "columns that are no inputs: city"),
        ([replace(AGE, dtype=DType.STRING)], "input 'age' is int64 in the example and string in the reference rows"),
    ],
)
def test_reference_that_does_not_fit_is_refused(reference: list[Field], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        widened([AGE], reference)


def test_author_adds_what_an_example_cannot_show() -> None:
    settings: dict[str, dict[str, Any]] = {"age": {"minimum": 0, "maximum": 130}, "city": {"unknown": "count"}}

    age, city = amended([AGE, CITY], settings)

    assert (age.minimum, age.maximum, city.unknown, city.categories) == (0, 130, "count", ("A", "B"))


def test_author_changes_a_type() -> None:
    zip_code, city = amended([replace(AGE, name="zip"), CITY], {"zip": {"type": "string"}, "city": {"type": "string"}})

    assert (zip_code.dtype, city.dtype, city.categories) == (DType.STRING, DType.STRING, None)


def test_settings_of_an_unknown_input_are_refused() -> None:
    with pytest.raises(BadInput, match="'aeg' is not an input of this model; its inputs are age"):
        amended([AGE], {"aeg": {}})


def test_unknown_setting_is_refused() -> None:
    with pytest.raises(BadModelFolder, match="field 'age': unknown setting 'min'"):
        amended([AGE], {"age": {"min": 0}})


def test_table_says_only_what_there_is_to_say() -> None:
    fields = [AGE, replace(CITY, nullable=True, unknown="count"), Field("x", DType.FLOAT32, minimum=0, shape=(3,))]

    table = inputs_table(fields)

    assert table == {
        "age": "int64",
        "city": {"type": "category", "nullable": True, "categories": ["A", "B"], "unknown": "count"},
        "x": {"type": "float32", "minimum": 0, "shape": [3]},
    }
    written = tomllib.loads(to_toml({"inputs": table}))["inputs"]
    assert [
        Field.from_json({"name": name, **(entry if isinstance(entry, dict) else {"type": entry})})
        for name, entry in written.items()
    ] == fields
