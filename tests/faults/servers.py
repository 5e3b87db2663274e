"""PostgreSQL, RabbitMQ and Redis of the harness, each with a guard that obeys orders (guard.py)."""

import json

from tests.guarded_server import OrderedServer


class FaultyServer(OrderedServer):
    """A running server, gone at the latest when this process is.

    Attributes:
        name: ``postgres``, ``rabbitmq`` or ``redis``.
    """

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        super().__init__("-m", "tests.faults.guard", name, *arguments)

    def order(self, *words: str) -> str:
        """What came of an order and its arguments."""
        assert self._guard.stdin is not None
        self._guard.stdin.write(json.dumps(words) + "\n")
        self._guard.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        self.order("stop")

    def start(self) -> None:
        self.order("start")
