"""HTTP as the client speaks it, against a real server on loopback."""

import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mlp.client.transport import HTTPTransport, Response
from mlp.errors import BadInput, DeadlineExceeded, ServerUnreachable, Unavailable
from tests.unit.client.conftest import Reply, Request, Web


@pytest.fixture
def transport(web: Web) -> Iterator[HTTPTransport]:
    opened = HTTPTransport(web.url)
    yield opened
    opened.close()


def send(transport: HTTPTransport, method: str = "GET", path: str = "/a", **options: Any) -> Response:
    given: dict[str, Any] = {"query": {}, "body": None, "headers": {}, "timeout_seconds": 10.0, **options}
    return transport.send(method, path, **given)


def test_send_answers_with_status_headers_and_body(web: Web, transport: HTTPTransport) -> None:
    web.tell_reply("GET", "/a", Reply(418, b"tea", headers={"X-Kind": "green"}))

    response = send(transport, query={"q": "ü &", "n": "1"}, headers={"X-Mine": "yes"})

    assert (response.status, response.body, response.headers["x-kind"]) == (418, b"tea", "green")
    assert web.requests[0].query == {"q": "ü &", "n": "1"}
    assert web.requests[0].headers["x-mine"] == "yes"
    assert web.requests[0].headers["user-agent"].startswith("mlp-stack/")


def test_send_streams_an_open_file_with_its_length(web: Web, transport: HTTPTransport) -> None:
    web.tell_reply("POST", "/a", Reply())
    content = b"x" * 300_000

    send(transport, "POST", body=io.BytesIO(content), headers={"Content-Length": str(len(content))})

    assert web.requests[0].body == content
    assert "transfer-encoding" not in web.requests[0].headers


def test_send_keeps_its_connection(web: Web, transport: HTTPTransport) -> None:
    web.tell_reply("GET", "/a", Reply())

    for _ in range(3):
        send(transport)

    assert len({request.connection for request in web.requests}) == 1


def test_send_is_safe_in_threads(web: Web, transport: HTTPTransport) -> None:
    web.tell_reply("POST", "/a", lambda request: Reply(body=request.body))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: send(transport, "POST", body=b"%d" % number).body, range(100)))

    assert answers == [b"%d" % number for number in range(100)]


def test_get_on_a_connection_that_was_closed_is_sent_again(web: Web, transport: HTTPTransport) -> None:
    web.tell_reply("GET", "/a", Reply(status=0))
    web.tell_reply("GET", "/a", Reply(body=b"there"))

    response = send(transport)

    assert response.body == b"there"
    assert len(web.requests) == 2


def test_post_that_broke_is_never_sent_again(web: Web, transport: HTTPTransport) -> None:
    web.tell_reply("POST", "/a", Reply(status=0))

    with pytest.raises(Unavailable, match=r"broke during POST /a .* whether the request was carried out is not known"):
        send(transport, "POST", body=b"{}")

    assert len(web.requests) == 1


def test_send_without_a_server_names_address_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(ServerUnreachable) as raised:
        send(HTTPTransport(url))

    assert raised.value.message == f'no server answers at {url}: start one with "mlp serve"'


def test_send_gives_up_on_a_silent_server(web: Web, transport: HTTPTransport) -> None:
    with pytest.raises(DeadlineExceeded, match=r"did not answer GET /a within 0\.05 s"):
        send(transport, timeout_seconds=0.05)


def test_redirects_are_answers_like_any_other(web: Web, transport: HTTPTransport) -> None:
    web.tell_reply("GET", "/a", Reply(302, headers={"Location": "/b"}))

    assert send(transport).status == 302


def test_prefix_of_the_address_is_kept(web: Web) -> None:
    web.tell_reply("GET", "/mlp/a", Reply(body=b"prefixed"))
    transport = HTTPTransport(web.url + "/mlp/")

    assert send(transport).body == b"prefixed"
    transport.close()


@pytest.mark.parametrize("url", ["localhost:4789", "ftp://host", "http://", "http://host?x=1", ""])
def test_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="is not the address of a server"):
        HTTPTransport(url)


def test_refusal_of_an_upload_under_way_is_read(web: Web, transport: HTTPTransport) -> None:
    def refuse(request: Request) -> Reply:
        return Reply(413, b"too large", then_close=True)

    web.tell_reply("POST", "/a", refuse)

    assert (
        send(transport, "POST", body=io.BytesIO(b"y" * 10_000_000), headers={"Content-Length": "10000000"}).status
        == 413
    )


def test_close_twice_is_allowed(transport: HTTPTransport) -> None:
    transport.close()

    transport.close()
