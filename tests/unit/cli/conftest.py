"""A server in a few lines for the commands to talk to: answers by method and path, and what was asked."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mlp.client import Client
from mlp.client.transport import Body, Response

#: What a path answers: a document, or a function of the decoded body that returns one.
Answers = dict[tuple[str, str], Any]


class ScriptedTransport:
    """A transport that answers from a table and keeps the bodies that it was sent."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.sent: list[tuple[str, str, Any]] = []

    @property
    def address(self) -> str:
        return "scripted"

    def send(self, method: str, path: str, *, body: Body | None, **_details: Any) -> Response:
        document = msgspec.json.decode(body) if isinstance(body, bytes) else None
        self.sent.append((method, path, document))
        answer = self._answers[method, path]
        if callable(answer):
            answer = answer(document)
        status = answer.get("status", 200) if isinstance(answer, dict) else 200
        is_problem = isinstance(status, int) and status >= 400
        kind = "application/problem+json" if is_problem else "application/json"
        return Response(status if is_problem else 200, {"content-type": kind}, msgspec.json.encode(answer))

    def close(self) -> None:
        return


@pytest.fixture
def scripted() -> Callable[[Answers], tuple[Client, ScriptedTransport]]:
    """Makes a client of such a server."""

    def make(answers: Answers) -> tuple[Client, ScriptedTransport]:
        transport = ScriptedTransport(answers)
        return Client(transport=transport), transport

    return make
