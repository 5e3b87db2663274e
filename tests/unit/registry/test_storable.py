"""What both databases can keep."""

import math
from typing import Any

import pytest

from mlp.errors import BadModelFolder
from mlp.registry.storable import check_storable, storable_text


@pytest.mark.parametrize(
    "value",
    [None, True, "", "é\U0001f600\n", 0, 2**64 - 1, -(2**63), 1e308, {"a": [1, {"b": None}]}, ("x",), [[]]],
    ids=repr,
)
def test_plain_values_can_be_kept(value: Any) -> None:
    check_storable(value, "metrics")


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        "a\0b",
        "\ud800",
        2**64,
        -(2**63) - 1,
        {"a": [1.0, math.nan]},
        {"k\0": 1},
        [["\0"]],
    ],
    ids=ascii,
)
def test_what_a_database_refuses_is_refused_first(value: Any) -> None:
    with pytest.raises(BadModelFolder, match=r"^metrics"):
        check_storable(value, "metrics")


def test_refusal_names_the_place() -> None:
    with pytest.raises(BadModelFolder, match=r"^metrics\.by_fold\[1\]\.auc is nan"):
        check_storable({"by_fold": [{"auc": 0.5}, {"auc": math.nan}]}, "metrics")


def test_text_is_made_storable() -> None:
    assert storable_text("fine é") == "fine é"
    check_storable(storable_text("a\0b\ud800c"), "warnings")
