import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.errors import BadInput
from mlp.jobs.idempotency import fingerprint, parse_key

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (' "with space" ', "with space"),
        (r'"a \"quoted\" \\ word"', r'a "quoted" \ word'),
        ('"key"; version=1', "key"),
        (f'"{"x" * 255}"', "x" * 255),
    ],
)
def test_parse_key_reads_strings_and_bare_tokens(header: str | None, key: str | None) -> None:
    assert parse_key(header) == key


@pytest.mark.parametrize(
    "header",
    ["", '""', '"open', 'open"', '"a" "b"', "two words", "a,b", '"é"', "é", r'"bad \escape"', '"tab\there"', "x" * 256],
)
def test_parse_key_otherwise_is_bad_input(header: str) -> None:
    with pytest.raises(BadInput, match="Idempotency-Key"):
        parse_key(header)


@given(PRINTABLE)
def test_parse_key_reads_back_every_string(key: str) -> None:
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')

    assert parse_key(f'"{quoted}"') == key


@given(st.text(max_size=300))
def test_parse_key_of_any_text_is_a_key_or_bad_input(header: str) -> None:
    try:
        key = parse_key(header)
    except BadInput:
        return

    assert key is not None
    assert 1 <= len(key) <= 255
    assert key.isascii()
    assert key.isprintable()


def test_fingerprint_is_the_sha256_of_lengths_and_parts() -> None:
    expected = hashlib.sha256(b"\0\0\0\0\0\0\0\5+POST" + b"\0\0\0\0\0\0\0\1-" + b"\0\0\0\0\0\0\0\3+ab")

    assert fingerprint("POST", None, b"ab") == expected.hexdigest()


def test_fingerprint_tells_parts_apart_that_run_together() -> None:
    prints = {fingerprint("ab", "c"), fingerprint("a", "bc"), fingerprint("abc"), fingerprint("abc", None)}

    assert len(prints) == 4
