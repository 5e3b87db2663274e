"""Signatures by Standard Webhooks 1.0.0."""

import base64

import pytest
from pydantic import SecretStr

from mlp.errors import ConfigurationInvalid
from mlp.jobs.webhook_signature import signature_of, signing_keys
from tests.webhook_receiver import KEY, SECRET


def test_signature_of_the_reference_libraries() -> None:
    # The vector of the test suites of the specification's own libraries.
    (key,) = signing_keys(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))

    signature = signature_of((key,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", [None, SecretStr(""), SecretStr("  ")])
def test_no_secret_is_no_key(secret: SecretStr | None) -> None:
    assert signing_keys(secret) == ()


def test_several_secrets_all_sign() -> None:
    old = "whsec_" + base64.b64encode(b"o" * 24).decode()

    keys = signing_keys(SecretStr(f"{SECRET} {old}"))

    assert keys == (KEY, b"o" * 24)
    assert (
        signature_of(keys, "a", 1, b"b")
        == f"{signature_of(keys[:1], 'a', 1, b'b')} {signature_of(keys[1:], 'a', 1, b'b')}"
    )


def test_secret_without_the_prefix_is_the_key() -> None:
    assert signing_keys(SecretStr("k" * 24)) == (b"k" * 24,)


@pytest.mark.parametrize("secret", ["short", "whsec_c2hvcnQ=", "whsec_no Base64", "whsec_%%%%"])
def test_secret_that_is_no_good_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="MLP_WEBHOOK_SECRET"):
        signing_keys(SecretStr(secret))
