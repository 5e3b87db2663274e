import pytest
from pydantic import SecretStr

from mlp.config import Settings
from mlp.errors import BadInput
from mlp.jobs.conditions import EXPIRES_SECONDS_MAX, Conditions
from mlp.jobs.job import NewJob
from tests.webhook_receiver import SECRET


def check(settings: Settings, *, webhook_url: str | None = None, expires_seconds: float | None = None) -> None:
    new_job = NewJob("test.echo", None, b"{}", webhook_url=webhook_url, expires_seconds=expires_seconds)
    Conditions(settings).check(new_job)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), EXPIRES_SECONDS_MAX + 1])
def test_expiry_out_of_bounds_is_refused(seconds: float) -> None:
    with pytest.raises(BadInput, match="expires_seconds"):
        check(Settings(), expires_seconds=seconds)


def test_expiry_within_bounds_is_taken() -> None:
    check(Settings(), expires_seconds=0.1)
    check(Settings(), expires_seconds=EXPIRES_SECONDS_MAX)


def test_webhook_without_a_secret_is_refused() -> None:
    with pytest.raises(BadInput, match="MLP_WEBHOOK_SECRET"):
        check(Settings(), webhook_url="https://example.org/done")


def test_webhook_to_a_private_address_is_the_setting_s_matter() -> None:
    secret = SecretStr(SECRET)
    check(Settings(webhook_secret=secret), webhook_url="https://example.org/done")
    check(Settings(webhook_secret=secret, webhook_private_addresses=True), webhook_url="http://127.0.0.1/done")

    with pytest.raises(BadInput, match=r"127\.0\.0\.1"):
        check(Settings(webhook_secret=secret), webhook_url="http://127.0.0.1/done")
