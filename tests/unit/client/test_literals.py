"""Constants as source: what is written evaluates to the same value."""

import enum
import re
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp.client.literals import imports_of, literal_text

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.just(...)
)
CONSTANTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.integers() | st.text())
        | st.frozensets(st.text())
    ),
    max_leaves=15,
)
Point = namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


def evaluated(value: Any) -> Any:
    text = literal_text(value)
    assert text is not None
    namespace: dict[str, Any] = {}
    exec("\n".join([*imports_of(text), f"value = {text}"]), namespace)
    return namespace["value"]


@settings(deadline=None)
@given(CONSTANTS)
def test_constant_evaluates_to_itself(value: Any) -> None:
    again = evaluated(value)

    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        *(np.float64(0.1), np.float32(0.1), np.int16(-3), np.uint64(2**63), np.bool_(True), np.float64("inf")),
        *(re.compile("a+"), re.compile("a", re.IGNORECASE | re.VERBOSE), re.compile(b"a", re.DOTALL)),
        *(float("inf"), float("-inf"), -0.0, set(), frozenset(), (), {"a": [np.float64(1)]}),
    ],
)
def test_value_evaluates_to_its_like(value: Any) -> None:
    again = evaluated(value)

    assert repr(again) == repr(value)
    assert type(again) is type(value)


def test_nan_stays_nan() -> None:
    assert np.isnan(evaluated(float("nan")))


def test_set_has_one_source() -> None:
    assert literal_text({"b", "a", "c"}) == "{'a', 'b', 'c'}"


@pytest.mark.parametrize(
    "value",
    [Point(1, 2), Colour.RED, OrderedDict(a=1), object(), [object()], {"a": len}, np.zeros(3), np.datetime64("2013")],
)
def test_what_is_no_constant_has_no_source(value: Any) -> None:
    assert literal_text(value) is None


def test_list_that_holds_itself_has_no_source() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert literal_text(endless) is None


def test_very_large_constant_has_no_source() -> None:
    assert literal_text("x" * 2_000_000) is None
