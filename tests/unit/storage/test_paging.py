"""Cursors and pages."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import BadInput
from mlp.storage.paging import LIMIT_MAX, Page, check_limit, decode_cursor, encode_cursor, page_of

_INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.text().filter(lambda text: "\0" not in text), _INT64)
def test_cursor_of_any_key_comes_back_as_that_key(text: str, number: int) -> None:
    cursor = encode_cursor((text, number))

    assert decode_cursor(cursor, str, int) == (text, number)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_cursor_not_given_is_the_beginning() -> None:
    assert decode_cursor(None, str) is None


@given(st.text())
def test_cursor_of_any_text_is_a_key_or_bad_input(text: str) -> None:
    try:
        key = decode_cursor(text, str)
    except BadInput:
        return
    assert key is not None
    assert isinstance(key[0], str)


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"[1]", b'["a","b"]', b'{"a":1}', b"null", b"[true]", b"[null]", b"\xff", b'["a"'], ids=str
)
def test_cursor_of_another_list_is_refused(document: bytes) -> None:
    cursor = base64.urlsafe_b64encode(document).decode().rstrip("=")

    with pytest.raises(BadInput, match="none of this list"):
        decode_cursor(cursor, str)


@pytest.mark.parametrize(("document", "type_"), [(b"[9223372036854775808]", int), (rb'["\u0000"]', str)])
def test_cursor_with_what_no_database_takes_is_refused(document: bytes, type_: type) -> None:
    cursor = base64.urlsafe_b64encode(document).decode().rstrip("=")

    with pytest.raises(BadInput, match="none of this list"):
        decode_cursor(cursor, type_)


def test_page_with_a_row_too_many_has_a_next() -> None:
    page = page_of(["a", "b", "c"], 2, lambda row: (row,))

    assert page.items == ("a", "b")
    assert decode_cursor(page.next, str) == ("b",)


@pytest.mark.parametrize("rows", [[], ["a"], ["a", "b"]])
def test_page_with_all_rows_is_the_last(rows: list[str]) -> None:
    page = page_of(rows, 2, lambda row: (row,))

    assert page == Page(tuple(rows), None)


def test_page_mapped_keeps_order_and_next() -> None:
    assert list(Page((1, 2), "x").map(str)) == ["1", "2"]
    assert Page((1, 2), "x").map(str).next == "x"


@pytest.mark.parametrize("limit", [1, LIMIT_MAX])
def test_limit_within_bounds_is_returned(limit: int) -> None:
    assert check_limit(limit) == limit


@pytest.mark.parametrize("limit", [-1, 0, LIMIT_MAX + 1])
def test_limit_outside_is_refused(limit: int) -> None:
    with pytest.raises(BadInput, match="1 to 1000"):
        check_limit(limit)
