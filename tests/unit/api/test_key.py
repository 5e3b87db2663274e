"""The key of a server, asked for on real applications: by the middleware, before anything else."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.types import Scope

from mlp.api.app import create_app
from mlp.api.in_process import InProcessTransport
from mlp.api.key import check_exposure, may_pass
from mlp.client import Client
from mlp.config import Settings
from mlp.errors import ConfigurationInvalid, Unauthorised
from mlp.stack import Stack

KEY = "s3cret+/="


def ask(folder: Path, key: str | None, requests: Sequence[tuple[str, str, str | None]]) -> list[httpx.Response]:
    async def story() -> list[httpx.Response]:
        stack = Stack(Settings(folder=folder, api_key=None if key is None else SecretStr(key)))
        transport = httpx.ASGITransport(create_app(stack))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await stack.start(is_warming=False)
            try:
                return [
                    await client.request(method, path, headers={} if sent is None else {"authorization": sent})
                    for method, path, sent in requests
                ]
            finally:
                await stack.close()

    folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(story())


def scope(path: str, headers: dict[str, str]) -> Scope:
    """What a server tells of a request with these headers."""
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "path": path, "headers": pairs}


def test_every_path_but_health_and_metrics_answers_401_without_the_key(tmp_path: Path) -> None:
    asked = ["/v1/models", "/docs", "/openapi.json", "/v1/nothing", "/metricsx", "/v2/models/m/infer"]
    hot = ["/v1/models/m/predict", "/v1/models/m/jobs", "/v2/models/m/infer", "/v1/feedback"]
    requests = [("GET", path, None) for path in asked] + [("POST", path, None) for path in hot]

    refused = ask(tmp_path, KEY, requests)
    free = ask(tmp_path, KEY, [("GET", path, None) for path in ("/health/live", "/health/ready", "/metrics")])

    assert {(answer.status_code, answer.headers["www-authenticate"]) for answer in refused} == {(401, "Bearer")}
    assert refused[0].json()["code"] == "unauthorised"
    assert "MLP_API_KEY" in refused[0].json()["detail"]
    assert all(answer.status_code != 401 for answer in free)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"Bearer {KEY}", 200),
        (f"bearer {KEY}", 200),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        (KEY, 401),
        (f"Basic {KEY}", 401),
    ],
)
def test_key_is_taken_as_a_bearer_token_only(tmp_path: Path, sent: str, status: int) -> None:
    [answer] = ask(tmp_path, KEY, [("GET", "/v1/models", sent)])

    assert answer.status_code == status


@pytest.mark.parametrize("key", [None, ""])
def test_server_without_a_key_asks_for_none(tmp_path: Path, key: str | None) -> None:
    [answer] = ask(tmp_path, key, [("GET", "/v1/models", None)])

    assert answer.status_code == 200


def test_document_names_the_scheme_where_a_key_is_set(tmp_path: Path) -> None:
    [answer] = ask(tmp_path, KEY, [("GET", "/openapi.json", f"Bearer {KEY}")])

    assert answer.json()["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}


def test_in_process_client_passes_with_the_key_and_not_without(tmp_path: Path) -> None:
    transport = InProcessTransport.open(Settings(folder=tmp_path / "data", api_key=SecretStr(KEY)))
    with Client(api_key=KEY, transport=transport) as client:
        assert client.models.list() == []
        with pytest.raises(Unauthorised):
            Client(api_key="wrong", transport=transport).models.list()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org"])
def test_open_address_without_a_key_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="MLP_API_KEY"):
        check_exposure(Settings(host=host))

    check_exposure(Settings(host=host, api_key=SecretStr(KEY)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    check_exposure(Settings(host=host))


@pytest.mark.parametrize("headers", [{}, {"x-request-id": "abc"}, {"host": "api:4789"}])
def test_metrics_are_open_to_who_comes_directly(headers: dict[str, str]) -> None:
    assert may_pass(scope("/metrics", headers), KEY.encode())


@pytest.mark.parametrize("value", ["203.0.113.9", "10.0.0.1, 203.0.113.9", ""])
def test_metrics_ask_for_the_key_behind_a_proxy(value: str) -> None:
    forwarded = {"x-forwarded-for": value}

    assert not may_pass(scope("/metrics", forwarded), KEY.encode())
    assert may_pass(scope("/metrics", {**forwarded, "authorization": f"Bearer {KEY}"}), KEY.encode())


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/open"])
@pytest.mark.parametrize("headers", [{}, {"x-forwarded-for": "203.0.113.9"}])
def test_health_is_open_to_everybody(path: str, headers: dict[str, str]) -> None:
    assert may_pass(scope(path, headers), KEY.encode())


@given(
    path=st.text().map(lambda text: f"/{text}").filter(lambda path: not path.startswith(("/health/", "/metrics"))),
    sent=st.text(alphabet=st.characters(max_codepoint=255)).filter(lambda text: KEY not in text),
)
def test_no_other_path_opens_to_any_other_value(path: str, sent: str) -> None:
    assert not may_pass(scope(path, {"authorization": sent}), KEY.encode())
    assert not may_pass(scope(path, {"authorization": f"Bearer {sent}"}), KEY.encode())


@pytest.mark.parametrize("bound", ["127.0.0.1", "::1", "localhost"])
def test_loopback_address_of_the_proxy_counts_instead_of_the_open_host(bound: str) -> None:
    check_exposure(Settings(host="0.0.0.0", bind_address=bound))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "192.0.2.1"])
def test_open_address_of_the_proxy_needs_a_key_whatever_the_host(host: str, bound: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="MLP_API_KEY"):
        check_exposure(Settings(host=host, bind_address=bound))

    check_exposure(Settings(host=host, bind_address=bound, api_key=SecretStr(KEY)))
