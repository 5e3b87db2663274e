import pytest

from mlp.errors import MalformedBody
from mlp.inference.bodies import decode_rows, without_conditions


def test_body_without_conditions_stays_as_it_came() -> None:
    body = b'{ "rows": [[1.10, 1e300]], "keys": ["a"] }'

    assert without_conditions(body, decode_rows(body)) is body


def test_conditions_are_taken_out_and_values_stay_as_they_came() -> None:
    body = (
        b'{"rows": [[1.10, 123456789012345678901234567890]], "webhook": "http://a/", "expires_seconds": 5, "at": null}'
    )

    left = without_conditions(body, decode_rows(body))

    assert left == b'{"rows":[[1.10, 123456789012345678901234567890]],"at":null}'
    assert decode_rows(left).webhook is None


@pytest.mark.parametrize("member", [b'"webhook": 1', b'"expires_seconds": "5"', b'"webhooks": "http://a/"'])
def test_condition_of_another_form_is_malformed(member: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode_rows(b'{"rows": [[1]], ' + member + b"}")
