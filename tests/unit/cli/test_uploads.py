import io
from typing import Any

from mlp.cli.uploads import WatchedTransport
from mlp.client.transport import Body, Response


class ReadingTransport:
    """Reads what it is sent in small pieces."""

    address = "reading"

    def __init__(self) -> None:
        self.received: Body | None = None

    def send(self, *_where: str, body: Body | None, **_details: Any) -> Response:
        if body is None or isinstance(body, bytes):
            self.received = body
        else:
            self.received = b"".join(iter(lambda: body.read(4), b""))
        return Response(200, {}, b"")

    def close(self) -> None:
        return


def watched() -> tuple[WatchedTransport, ReadingTransport, list[tuple[float, float | None, str]]]:
    reports: list[tuple[float, float | None, str]] = []
    inner = ReadingTransport()
    transport = WatchedTransport(inner, lambda *report: reports.append(report), sending="sending", waiting="waiting")
    return transport, inner, reports


def test_file_is_sent_whole_and_its_bytes_reported() -> None:
    transport, inner, reports = watched()

    transport.send(
        "POST", "/", query={}, body=io.BytesIO(b"0123456789"), headers={"Content-Length": "10"}, timeout_seconds=1
    )

    assert inner.received == b"0123456789"
    assert reports[:2] == [(4, 10, "sending"), (8, 10, "sending")]
    assert reports[2] == (0, None, "waiting")


def test_bytes_pass_without_a_report() -> None:
    transport, inner, reports = watched()

    transport.send("POST", "/", query={}, body=b"{}", headers={}, timeout_seconds=1)

    assert (inner.received, reports) == (b"{}", [])
