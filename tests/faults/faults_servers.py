"""Faults inside PostgreSQL, RabbitMQ and Redis: alarms, lost data, lost connections, a full disk."""

import random
from contextlib import suppress

import amqp
import psycopg

from tests.faults.cluster import POSTGRES, RABBITMQ, REDIS, Cluster
from tests.faults.guard import FAILED
from tests.faults.plans import PROBE_SECONDS_AFTER_RECOVERY, FaultPlan, Kind

_ALARM_SECONDS = (4.0, 10.0)
_FULL_SECONDS = (4.0, 10.0)
_SETTLE_SECONDS = 1.0
_QUEUES = ("mlp.high", "mlp.default", "mlp.low")
#: As in tests/server_guard.py, rabbitmq.conf; and Erlang's default share of the memory.
_DISK_FREE_LIMIT, _MEMORY_SHARE = "50MB", "0.4"

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mlp'"


def _memory_alarm(cluster: Cluster, source: random.Random) -> FaultPlan:
    return _alarm(cluster, source, "set_vm_memory_high_watermark", "0.0001", _MEMORY_SHARE)


def _disk_alarm(cluster: Cluster, source: random.Random) -> FaultPlan:
    return _alarm(cluster, source, "set_disk_free_limit", "100000GB", _DISK_FREE_LIMIT)


def _alarm(cluster: Cluster, source: random.Random, setting: str, value: str, usual: str) -> FaultPlan:
    """RabbitMQ reads from no publisher any more."""

    def put(wanted: str) -> None:
        answer = cluster.rabbitmq.order("control", setting, wanted)
        assert not answer.startswith(FAILED), answer

    return FaultPlan(RABBITMQ, source.uniform(*_ALARM_SECONDS), lambda: put(value), lambda: put(usual))


def _delete_queues(cluster: Cluster, source: random.Random) -> FaultPlan:
    queues = [source.choice(_QUEUES)] if source.random() < 0.5 else list(_QUEUES)

    def begin() -> None:
        with _connected(cluster) as connection:
            for queue in queues:
                connection.channel().queue_delete(queue)

    return FaultPlan("+".join(queues), _SETTLE_SECONDS, begin)


def _purge_queues(cluster: Cluster, source: random.Random) -> FaultPlan:
    def begin() -> None:
        with _connected(cluster) as connection:
            for queue in _QUEUES:
                with suppress(amqp.exceptions.NotFound):
                    connection.channel().queue_purge(queue)

    return FaultPlan("+".join(_QUEUES), _SETTLE_SECONDS, begin)


def _connected(cluster: Cluster) -> "amqp.Connection":
    connection = amqp.Connection(f"127.0.0.1:{cluster.rabbitmq.port}", connect_timeout=5, read_timeout=10)
    connection.connect()
    return connection


def _wipe_broker(cluster: Cluster, source: random.Random) -> FaultPlan:
    return FaultPlan(RABBITMQ, _SETTLE_SECONDS, lambda: cluster.rabbitmq.order("wipe"), cluster.rabbitmq.start)


def _flush_cache(cluster: Cluster, source: random.Random) -> FaultPlan:
    def begin() -> None:
        with cluster.cache() as client:
            client.flushall()

    return FaultPlan(REDIS, _SETTLE_SECONDS, begin)


def _cut_cache_clients(cluster: Cluster, source: random.Random) -> FaultPlan:
    def begin() -> None:
        with cluster.cache() as client:
            for kind in ("pubsub", "normal"):
                client.client_kill_filter(_type=kind, skipme=True)

    return FaultPlan(REDIS, _SETTLE_SECONDS, begin, begin)


def _end_sessions(cluster: Cluster, source: random.Random) -> FaultPlan:
    def begin() -> None:
        cluster.query(_END_SESSIONS)

    return FaultPlan("all sessions", _SETTLE_SECONDS, begin, begin)


def _fill_disk(cluster: Cluster, source: random.Random) -> FaultPlan:
    """Nothing more can be written; a PostgreSQL that ended over it is started again as a container would be."""

    def end() -> None:
        cluster.postgres.order("free_disk")
        cluster.postgres.order("ensure")

    return FaultPlan(
        POSTGRES,
        source.uniform(*_FULL_SECONDS),
        lambda: cluster.postgres.order("fill_disk"),
        end,
        PROBE_SECONDS_AFTER_RECOVERY,
    )


def _use_up_connections(cluster: Cluster, source: random.Random) -> FaultPlan:
    """Somebody else holds every connection that PostgreSQL has to give, after ours were ended."""
    held: list[psycopg.Connection[tuple[object, ...]]] = []

    def begin() -> None:
        cluster.query(_END_SESSIONS)
        with suppress(psycopg.OperationalError):
            while True:
                held.append(psycopg.connect(cluster.database_url(), connect_timeout=2, application_name="hog"))

    def end() -> None:
        for connection in held:
            connection.close()

    return FaultPlan("all connections", source.uniform(*_FULL_SECONDS), begin, end)


KINDS = (
    Kind("rabbitmq-memory-alarm", _memory_alarm),
    Kind("rabbitmq-disk-alarm", _disk_alarm),
    Kind("rabbitmq-queues-deleted", _delete_queues),
    Kind("rabbitmq-queues-purged", _purge_queues),
    Kind("rabbitmq-wiped", _wipe_broker),
    Kind("redis-flushed", _flush_cache),
    Kind("redis-clients-killed", _cut_cache_clients),
    Kind("postgres-sessions-ended", _end_sessions),
    Kind("postgres-connections-used-up", _use_up_connections),
    Kind("postgres-disk-full", _fill_disk, needs="root"),
)
