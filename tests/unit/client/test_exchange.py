"""Calls become JSON, answers become values, problems become the errors that the server raised."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp.client.exchange import (
    decoded,
    error_of_code,
    error_of_response,
    moment_text,
    native,
    path_of,
    query_texts,
    to_json,
)
from mlp.client.results import JobError
from mlp.client.transport import Response
from mlp.errors import BadInput, MLPError, TooManyRequests, Unavailable, all_error_classes


def problem(status: int = 400, content_type: str = "application/problem+json", **headers: str) -> dict[str, Any]:
    return {"status": status, "headers": {"content-type": content_type, **headers}}


@pytest.mark.parametrize("code", sorted(all_error_classes()))
def test_error_of_every_code_is_of_its_class(code: str) -> None:
    error = error_of_code(code, "what happened", model="churn")

    assert type(error) is all_error_classes()[code]
    assert (error.message, error.extra) == ("what happened", {"model": "churn"})


def test_error_of_a_newer_server_keeps_code_and_text() -> None:
    error = error_of_code("model_on_holiday", "back on Monday")

    assert type(error) is MLPError
    assert error.message == "back on Monday (model_on_holiday)"


def test_problem_document_becomes_the_error_with_its_members() -> None:
    body = (
        b'{"type": "urn:mlp:error:too_many_requests", "title": "Too many", "status": 429, "detail": "wait",'
        b' "code": "too_many_requests", "request_id": "r1", "queued": 9, "message": "x"}'
    )

    error = error_of_response(Response(**problem(429, **{"retry-after": "7"}), body=body), "GET /a")

    assert isinstance(error, TooManyRequests)
    assert (error.message, error.retry_after_seconds) == ("wait", 7)
    assert error.extra == {"request_id": "r1", "queued": 9}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"detail": "x"}', b'{"code": 1, "detail": "x"}'])
@pytest.mark.parametrize(("status", "kind"), [(502, Unavailable), (404, MLPError)])
def test_answer_of_another_program_is_named_with_its_status(body: bytes, status: int, kind: type[MLPError]) -> None:
    error = error_of_response(Response(**problem(status), body=body), "GET http://host/a")

    assert type(error) is kind
    assert error.message.startswith(f"GET http://host/a was answered with status {status}")


@settings(deadline=None)
@given(body=st.binary(max_size=60), status=st.integers(400, 599), content_type=st.text(max_size=20))
def test_error_of_response_understands_any_bytes(body: bytes, status: int, content_type: str) -> None:
    error = error_of_response(Response(status, {"content-type": content_type, "retry-after": "Fri"}, body), "GET /")

    assert isinstance(error, MLPError)


def test_decoded_refuses_a_wrong_type_and_allows_more_members() -> None:
    response = Response(200, {}, b'{"code": "c", "detail": "d", "more": 1}')

    assert decoded(response, JobError, "GET /") == JobError("c", "d")
    with pytest.raises(MLPError, match="the answer to GET / cannot be read"):
        decoded(Response(200, {}, b'{"code": 1, "detail": "d"}'), JobError, "GET /")


def test_path_encodes_every_segment() -> None:
    assert path_of("v1", "models", "née/ß ?") == "/v1/models/n%C3%A9e%2F%C3%9F%20%3F"


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_path_refuses_what_no_path_can_carry(segment: str) -> None:
    with pytest.raises(BadInput, match="cannot be a name"):
        path_of("v1", segment)


def test_moment_without_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="has no time zone"):
        moment_text(datetime(2013, 3, 1))  # noqa: DTZ001 - the case under test


def test_moments_are_written_in_utc() -> None:
    cet = timezone(timedelta(hours=1))

    assert moment_text(datetime(2013, 3, 1, 12, tzinfo=cet)) == "2013-03-01T11:00:00Z"
    assert moment_text("2013-03") == "2013-03"


def test_query_leaves_out_none_and_writes_the_rest() -> None:
    query = {"a": None, "b": True, "c": 0, "d": datetime(2013, 3, 1, tzinfo=UTC), "e": ""}

    assert query_texts(query) == {"b": "true", "c": "0", "d": "2013-03-01T00:00:00Z", "e": ""}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([1.5, 2.5]), [1.5, 2.5]),
        (np.datetime64("2013-03-01T11:00", "ns"), datetime(2013, 3, 1, 11)),  # noqa: DTZ001 - numpy knows no zones
    ],
)
def test_native_is_the_python_value(value: Any, expected: Any) -> None:
    assert native(value) == expected


@pytest.mark.parametrize("value", [object(), np.timedelta64(1, "s"), {1, 2}, np.zeros(1, dtype="V4")[0]])
def test_native_refuses_what_has_no_json_form(value: Any) -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        native(value)


def test_to_json_writes_numpy_scalars_and_refuses_objects() -> None:
    assert msgspec.json.decode(to_json({"label": np.int64(1)})) == {"label": 1}
    with pytest.raises(BadInput, match="cannot be sent as JSON"):
        to_json({"label": object()})
