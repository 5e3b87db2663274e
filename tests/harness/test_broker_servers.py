"""The tests' own RabbitMQ and Redis: stopped, killed, started again, gone with the tests (tests/server_guard.py)."""

import subprocess
import sys
import time
from contextlib import closing

import amqp
import pytest
import redis

from tests.architecture.source_tree import ROOT
from tests.rabbitmq import RabbitMQServer
from tests.redis import RedisServer

pytestmark = pytest.mark.slow

GONE_SECONDS_MAX = 30.0
START_AND_HANG = """
import sys
from tests.redis import RedisServer
print(RedisServer().port, flush=True)
sys.stdin.read()
"""


def channel_on(server: RabbitMQServer) -> amqp.Connection:
    connection = amqp.Connection(f"127.0.0.1:{server.port}", connect_timeout=5)
    connection.connect()
    return connection


def is_answering(port: int) -> bool:
    with closing(redis.Redis(port=port, socket_timeout=2)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


@pytest.mark.rabbitmq
def test_broker_stopped_or_killed_keeps_its_port_and_its_durable_queues(rabbitmq_server: RabbitMQServer) -> None:
    with closing(channel_on(rabbitmq_server)) as connection:
        channel = connection.channel()
        channel.queue_declare("kept", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        channel.confirm_select()
        channel.basic_publish_confirm(amqp.Message(b"{}", delivery_mode=2), routing_key="kept")

    for take_down in (rabbitmq_server.stop, rabbitmq_server.kill):
        take_down()
        with pytest.raises(ConnectionError):
            channel_on(rabbitmq_server)
        rabbitmq_server.start()

    with closing(channel_on(rabbitmq_server)) as connection:
        deadline = time.monotonic() + GONE_SECONDS_MAX
        while (found := connection.channel().basic_get("kept")) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        connection.channel().queue_delete("kept")
    assert found is not None


@pytest.mark.redis
def test_cache_stopped_or_killed_forgets_everything_and_keeps_its_port(redis_server: RedisServer) -> None:
    for take_down in (redis_server.stop, redis_server.kill):
        with closing(redis.Redis.from_url(redis_server.url)) as client:
            client.set("name", "value")
        take_down()
        was_away = not is_answering(redis_server.port)
        redis_server.start()

        with closing(redis.Redis.from_url(redis_server.url)) as client:
            assert client.get("name") is None
        assert was_away


@pytest.mark.redis
def test_server_of_a_killed_test_process_is_taken_down() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_HANG], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        port = int(tests.stdout.readline())
        was_up = is_answering(port)
        tests.kill()

    deadline = time.monotonic() + GONE_SECONDS_MAX
    while is_answering(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert was_up
    assert not is_answering(port)
