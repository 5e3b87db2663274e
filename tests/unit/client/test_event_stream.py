"""Event streams as WHATWG HTML, section 9.2.6, reads them; the first examples are its own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlp.client.event_stream import Event, events_in


def read(*chunks: bytes) -> list[Event]:
    return list(events_in(chunks))


def test_data_of_several_lines_is_one_event() -> None:
    assert read(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [Event("", "message", "YHOO\n+2\n10")]


def test_comments_ids_and_an_event_that_is_cut_off() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event"

    assert read(stream) == [Event("1", "message", "first event"), Event("", "message", "second event")]


def test_id_stays_until_another_comes_and_the_name_does_not() -> None:
    stream = b"retry: 1000\n\nid: 7\nevent: state\ndata: a\n\ndata: b\n\n"

    assert read(stream) == [Event("7", "state", "a"), Event("7", "message", "b")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_chunks_may_be_cut_anywhere(end: str, cuts: list[int]) -> None:
    stream = end.join(["id: 1", "event: end", "data: é", "data: b", "", "data: c", "", ": ping", "", ""]).encode()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    events = read(*(stream[first:last] for first, last in pairwise(places)), b"\n")

    assert events == [Event("1", "end", "é\nb"), Event("1", "message", "c")]


def test_byte_order_mark_at_the_beginning_is_passed_over() -> None:
    assert read("\ufeffdata: a\n\n".encode()) == [Event("", "message", "a")]
