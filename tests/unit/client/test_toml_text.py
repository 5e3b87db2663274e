"""TOML text that tomllib reads back as the same document."""

import math
import tomllib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp.client.toml_text import to_toml
from mlp.errors import BadInput

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
SCALARS = TEXT | st.booleans() | NUMBERS | st.datetimes(timezones=st.just(UTC))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=5
)
DOCUMENTS = st.dictionaries(TEXT, VALUES, max_size=4)


@settings(max_examples=50, deadline=None)
@given(DOCUMENTS)
def test_document_is_read_back_the_same(document: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(document)) == document


@settings(max_examples=50, deadline=None)
@given(DOCUMENTS)
def test_inputs_are_read_back_the_same(inputs: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml({"inputs": inputs, "model": {"runtime": "python"}}))["inputs"] == inputs


def test_document_is_written_as_people_write_it() -> None:
    document = {
        "model": {"runtime": "sklearn", "classes": [False, True]},
        "inputs": {"age": "int64", "née": {"type": "category", "categories": ['"a"', "b"], "nullable": True}},
        "trained_with": {"python": "3.11.7", "packages": {"scikit-learn": "1.9.1"}},
        "metrics": {"auc": 0.5, "rows": 3, "big": 1e22},
    }

    assert (
        to_toml(document)
        == r"""[model]
runtime = "sklearn"
classes = [false, true]

[inputs]
age = "int64"
"née" = { type = "category", categories = ["\"a\"", "b"], nullable = true }

[trained_with]
python = "3.11.7"

[trained_with.packages]
scikit-learn = "1.9.1"

[metrics]
auc = 0.5
rows = 3
big = 1e+22
"""
    )


def test_numbers_that_are_not_finite_are_written() -> None:
    read = tomllib.loads(to_toml({"a": float("inf"), "b": float("-inf"), "c": float("nan")}))

    assert (read["a"], read["b"], math.isnan(read["c"])) == (math.inf, -math.inf, True)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"a": {"b": None}}, r"mlp.toml: a\.b = None cannot be written"),
        ({"a": [object()]}, "mlp.toml: a = <object"),
        ({"a": datetime(2013, 3, 1)}, "cannot be written"),  # noqa: DTZ001 - the case under test
        ({1: 2}, "the name 1 is not text"),
        ({"a": "\ud800"}, "holds text that is no Unicode"),
    ],
)
def test_what_toml_does_not_know_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        to_toml(document)
