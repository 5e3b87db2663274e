"""PostgreSQL, RabbitMQ and Redis of one run, on free ports, as unprivileged users: the servers of the tests."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg

from bench.jobs.usage import children_of, parent_of
from tests.postgres import PostgresServer
from tests.rabbitmq import RabbitMQServer
from tests.redis import RedisServer

_Server = TypeVar("_Server")


class Servers:
    """The three servers, running once made; PostgreSQL with fsync on.

    Attributes:
        rabbitmq_pid: Of a process whose descendants are the broker.
        redis_pid: The same of Redis.
    """

    def __init__(self) -> None:
        with ExitStack() as opened:
            self.postgres = PostgresServer()
            opened.callback(self.postgres.close)
            self.rabbitmq, self.rabbitmq_pid = _started(RabbitMQServer)
            opened.callback(self.rabbitmq.close)
            self.redis, self.redis_pid = _started(RedisServer)
            opened.callback(self.redis.close)
            self._opened = opened.pop_all()
        with self.sql() as connection:
            if connection.execute("SHOW fsync").fetchone() != ("on",):
                raise RuntimeError("PostgreSQL runs with fsync off: nothing measured on it would count")

    def sql(self) -> "psycopg.Connection[Any]":
        """A connection of its own to the product's database; a statement is a transaction."""
        return psycopg.connect(self.postgres.url("postgres"), autocommit=True)

    def postgres_pid(self) -> int:
        """The server process of PostgreSQL, another one after each start."""
        with self.sql() as connection:
            row = connection.execute("SELECT pg_backend_pid()").fetchone()
            assert row is not None
            return parent_of(row[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._opened.close()


def _started(make: Callable[[], _Server]) -> tuple[_Server, int]:
    """A server, and the process of ours that is its guard."""
    before = children_of(os.getpid())
    server = make()
    (guard_pid,) = children_of(os.getpid()) - before
    return server, guard_pid
