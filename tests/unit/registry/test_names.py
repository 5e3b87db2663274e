"""Which names there may be, and what is said where there is none."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import BadInput
from mlp.registry.names import (
    MODEL_NAME_MAX,
    REASON_MAX,
    checked_alias,
    checked_model_name,
    checked_reason,
    number_in,
    stored_name,
    unknown_model,
    unknown_version,
)


@pytest.mark.parametrize(
    "name",
    ["churn", "a", "Churn v2", "late.flights-2013_q1", "1", "Büro", "模型", "हिन्दी", "нейро", "...", "-", "x" * 200],
)
def test_model_name_that_can_be_is_returned(name: str) -> None:
    assert checked_model_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 201,
        " churn",
        "churn ",
        "\tchurn",
        "\u00a0churn",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\nb",
        "a\0b",
        "\x7f",
        "a:b",
        "a?b",
        "a%2fb",
        "<script>",
        "'; DROP TABLE models",
        "\ud800",
        "\u202eevil",
        "\U0001f600",
    ],
    ids=repr,
)
def test_model_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a model"):
        checked_model_name(name)
    assert stored_name(name) is None


def test_model_name_is_stored_composed() -> None:
    assert checked_model_name("Cafe\u0301") == "Caf\u00e9"
    assert stored_name("Cafe\u0301") == "Caf\u00e9"


@given(st.text(max_size=MODEL_NAME_MAX + 5))
def test_model_name_that_is_accepted_is_a_path_segment_and_stable(name: str) -> None:
    stored = stored_name(name)
    if stored is None:
        return

    assert checked_model_name(stored) == stored
    assert not {"/", "\\", "\0", "\n", "?", "#", "%"}.intersection(stored)
    assert stored not in (".", "..")
    assert unicodedata.normalize("NFC", stored) == stored


@pytest.mark.parametrize("alias", ["champion", "a", "canary-2", "q1_2026", "a" * 64])
def test_alias_that_can_be_is_returned(alias: str) -> None:
    assert checked_alias(alias) == alias


@pytest.mark.parametrize(
    "alias", ["", "3", "007", "Champion", "-a", "_a", "a b", "ä", "a" * 65, "a\n", "a.b", "1a"], ids=repr
)
def test_alias_that_cannot_be_is_refused(alias: str) -> None:
    with pytest.raises(BadInput, match="cannot be an alias"):
        checked_alias(alias)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("42", 42), ("999999999", 999_999_999)])
def test_reference_of_digits_is_a_number(text: str, number: int) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", "1.0", " 1", "1\n", "٣", "1000000000", "champion", "1e3"], ids=repr
)
def test_reference_of_anything_else_is_no_number(text: str) -> None:
    assert number_in(text) is None


@pytest.mark.parametrize("reason", ["", "better AUC\nand faster", "weil's besser ist", "x" * REASON_MAX])
def test_reason_that_can_be_kept_is_returned(reason: str) -> None:
    assert checked_reason(reason) == reason


@pytest.mark.parametrize("reason", ["a\0b", "\ud800", "x" * (REASON_MAX + 1)], ids=["nul", "half", "long"])
def test_reason_that_cannot_be_kept_is_refused(reason: str) -> None:
    with pytest.raises(BadInput, match="the reason"):
        checked_reason(reason)


def test_unknown_model_suggests_the_nearest() -> None:
    assert unknown_model("chrun", ["churn", "flights"]).message == "unknown model 'chrun': did you mean 'churn'?"


def test_unknown_model_without_a_near_one_lists_what_there_is() -> None:
    error = unknown_model("zzz", ["churn", "a", "b", "c", "d", "e"])

    assert error.message == "unknown model 'zzz': there are 'a', 'b', 'c', 'churn', 'd' and more"


def test_unknown_model_of_an_empty_registry_says_how_to_begin() -> None:
    assert unknown_model("churn", []).message == "unknown model 'churn': there are no models yet: run `mlp models add`"


def test_unknown_version_lists_numbers_and_aliases() -> None:
    error = unknown_version("churn", "9", {"champion": 2}, [3, 2, 1])

    assert error.message == "model 'churn' has no version '9': it has '3', '2', '1' (champion is 2)"


def test_unknown_version_of_many_shows_the_newest() -> None:
    error = unknown_version("churn", "99", {}, [16, 15, 14, 13, 12, 11])

    assert error.message == "model 'churn' has no version '99': it has '16', '15', '14', '13', '12' and more"


def test_unknown_alias_suggests_the_nearest() -> None:
    error = unknown_version("churn", "champoin", {"champion": 2}, [2, 1])

    assert error.message == "model 'churn' has no version 'champoin': did you mean 'champion'?"


def test_unknown_version_of_a_model_without_any_says_so() -> None:
    assert unknown_version("churn", "1", {}, []).message == "model 'churn' has no version '1': it has none"
