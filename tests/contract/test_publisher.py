"""Wake-ups through a real RabbitMQ for jobs in a real PostgreSQL: they get there, whatever the broker does."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from typing import Any, Literal

import amqp
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mlp.clock import now
from mlp.config import Settings
from mlp.jobs.broker_queues import all_broker_queues
from mlp.jobs.job import Job, NewJob
from mlp.jobs.publisher import Publisher
from mlp.jobs.queues import Queues
from mlp.jobs.service import JobService
from mlp.jobs.states import Priority
from mlp.jobs.tables import jobs as jobs_table
from mlp.observability.metrics import REGISTRY
from mlp.storage import schema
from mlp.storage.database import Database
from tests.contract.job_support import together, until
from tests.rabbitmq import RabbitMQServer

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.rabbitmq]

#: Two seconds for the confirmation and a shared machine's due; without a bound it would be the heartbeat's, and more.
FROZEN_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 20.0
WAKE_UPS_AT_ONCE = 16
StartPublisher = Callable[[], Publisher]


@pytest.fixture
def database(postgres_database_url: str) -> Iterator[Database]:
    with closing(Database(postgres_database_url)) as database:
        schema.upgrade(database)
        yield database


@pytest.fixture(params=["classic", "quorum"])
def queue_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(queue_type: Literal["quorum", "classic"], rabbitmq_server: RabbitMQServer) -> Iterator[Settings]:
    address = SecretStr(rabbitmq_server.url.replace("amqp://", "pyamqp://", 1))
    settings = Settings(broker_url=address, queue_type=queue_type, queues="reports")
    delete_queues(rabbitmq_server, settings)
    yield settings
    rabbitmq_server.ensure_started()
    delete_queues(rabbitmq_server, settings)


@pytest.fixture
def jobs(database: Database, settings: Settings) -> Iterator[JobService]:
    with closing(JobService(database, settings)) as jobs:
        yield jobs


@pytest.fixture
def make_publisher(database: Database, settings: Settings) -> Iterator[StartPublisher]:
    """Publishers that have not started; they are closed with the test, the second close does nothing."""
    made: list[Publisher] = []

    def make() -> Publisher:
        made.append(Publisher(database, settings))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close()


@pytest.fixture
def publisher(make_publisher: StartPublisher) -> Publisher:
    publisher = make_publisher()
    publisher.start()
    return publisher


@contextmanager
def channel_of(server: RabbitMQServer) -> Iterator[Any]:
    with closing(amqp.Connection(f"127.0.0.1:{server.port}", connect_timeout=10)) as connection:
        connection.connect()
        yield connection.channel()


def delete_queues(server: RabbitMQServer, settings: Settings) -> None:
    with channel_of(server) as channel:
        for name in (*all_broker_queues(settings), "mlp.dead"):
            channel.queue_delete(name)
            channel.exchange_delete(name)


def take_all(server: RabbitMQServer, queue: str, found: list[str]) -> list[str]:
    """The ids of the jobs whose messages have arrived in the queue by now, after those found before."""
    with channel_of(server) as channel, suppress(amqp.exceptions.NotFound):  # not declared yet
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            [job_id], _named, _more = json.loads(message.body)
            found.append(job_id)
    return found


def submit(jobs: JobService, count: int, **options: Any) -> list[Job]:
    return jobs.submit_many([NewJob("test.echo", None, b"{}", **options) for _ in range(count)])


def make_older(database: Database) -> None:
    """Jobs that a sweep leaves to their own wake-ups for two seconds are its own from now on."""
    with database.transaction() as connection:
        connection.execute(sa.update(jobs_table).values(available_at=now() - timedelta(minutes=1)))


def unpublished(database: Database) -> int:
    query = sa.select(sa.func.count()).where(jobs_table.c.published_at.is_(None))
    with database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def sweep_until_all_are_published(database: Database, publisher: Publisher) -> None:
    def are_all() -> bool:
        publisher.sweep()
        return unpublished(database) == 0

    until(are_all, 60)


def ids_of(jobs: Sequence[Job]) -> list[str]:
    return sorted(job.id for job in jobs)


def failures() -> float:
    return REGISTRY.get_sample_value("mlp_jobs_publish_failures_total") or 0.0


def test_a_few_messages_wake_workers_for_many_jobs(
    jobs: JobService, publisher: Publisher, rabbitmq_server: RabbitMQServer
) -> None:
    [first] = submit(jobs, 1)
    until(lambda: publisher_has_declared(rabbitmq_server, "mlp.default", publisher, first))
    rabbitmq_server.purge("mlp.default")

    publisher.publish_soon(accepted := submit(jobs, 500))

    found: list[str] = []
    until(lambda: len(take_all(rabbitmq_server, "mlp.default", found)) >= WAKE_UPS_AT_ONCE)
    assert set(found) <= {first.id, *ids_of(accepted)}
    assert len([job_id for job_id in found if job_id != first.id]) <= WAKE_UPS_AT_ONCE
    assert publisher.trouble is None


def test_single_jobs_are_published_each(
    jobs: JobService, publisher: Publisher, rabbitmq_server: RabbitMQServer
) -> None:
    jobs.notices.on_queued(publisher.publish_soon)

    accepted = [job for _ in range(5) for job in submit(jobs, 1)]

    found: list[str] = []
    until(lambda: len(take_all(rabbitmq_server, "mlp.default", found)) >= 5)
    assert sorted(found) == ids_of(accepted)


@pytest.mark.parametrize(
    ("options", "queue"),
    [
        ({"priority": Priority.HIGH}, "mlp.high"),
        ({"priority": Priority.LOW}, "mlp.low"),
        ({"queue": "registry"}, "mlp.high"),
        ({"queue": "reports"}, "mlp.reports"),
    ],
)
def test_wake_up_goes_to_the_queue_of_its_job(
    jobs: JobService, publisher: Publisher, rabbitmq_server: RabbitMQServer, options: dict[str, Any], queue: str
) -> None:
    [job] = submit(jobs, 1, **options)
    until(lambda: publisher_has_declared(rabbitmq_server, queue, publisher, job))

    found: list[str] = []
    until(lambda: take_all(rabbitmq_server, queue, found) != [])
    assert set(found) == {job.id}


def publisher_has_declared(server: RabbitMQServer, queue: str, publisher: Publisher, job: Job) -> bool:
    publisher.publish_soon([job])
    with channel_of(server) as channel:
        try:
            channel.queue_declare(queue, passive=True)
        except amqp.exceptions.NotFound:
            return False
    return True


def test_jobs_accepted_without_a_broker_are_published_when_it_is_back(
    database: Database, jobs: JobService, publisher: Publisher, rabbitmq_server: RabbitMQServer
) -> None:
    jobs.notices.on_queued(publisher.publish_soon)
    rabbitmq_server.stop()
    before = failures()

    accepted = submit(jobs, 20)

    until(lambda: failures() > before)
    assert publisher.trouble is not None
    assert unpublished(database) == 20
    rabbitmq_server.start()
    make_older(database)
    sweep_until_all_are_published(database, publisher)
    found: list[str] = []
    until(lambda: take_all(rabbitmq_server, "mlp.default", found) != [])
    assert set(found) <= set(ids_of(accepted))
    assert publisher.trouble is None


def test_more_jobs_than_may_wait_hold_nobody_up(
    jobs: JobService, publisher: Publisher, rabbitmq_server: RabbitMQServer
) -> None:
    [job] = submit(jobs, 1)
    rabbitmq_server.pause()
    began = time.monotonic()

    publisher.publish_soon([job] * 25_000)

    assert time.monotonic() - began < FROZEN_SECONDS_MAX


def test_sweep_leaves_young_jobs_to_their_own_wake_ups(
    database: Database, jobs: JobService, publisher: Publisher
) -> None:
    submit(jobs, 1)

    assert publisher.sweep() == 0

    make_older(database)
    assert publisher.sweep() == 1
    assert publisher.sweep() == 0


def test_two_sweeps_at_once_make_no_storm(
    database: Database, jobs: JobService, make_publisher: StartPublisher, rabbitmq_server: RabbitMQServer
) -> None:
    accepted = submit(jobs, 150)
    make_older(database)
    publishers = [make_publisher(), make_publisher()]
    sent: list[int] = []

    together(2, lambda number: sent.append(publishers[number].sweep()))

    assert unpublished(database) == 0
    found: list[str] = []
    until(lambda: len(take_all(rabbitmq_server, "mlp.default", found)) >= WAKE_UPS_AT_ONCE)
    assert len(accepted) <= sum(sent) <= 2 * len(accepted)
    assert len(found) <= 2 * WAKE_UPS_AT_ONCE


def test_jobs_of_a_paused_queue_wait_for_its_end(
    database: Database, jobs: JobService, publisher: Publisher, settings: Settings
) -> None:
    queues = Queues(database, settings)
    submit(jobs, 3, priority=Priority.LOW)
    submit(jobs, 2)
    make_older(database)
    queues.pause("mlp.low", "the model is wrong")

    assert publisher.sweep() == 2

    queues.resume("mlp.low")
    assert publisher.sweep() == 3


def test_queues_that_the_broker_lost_are_declared_by_the_next_connection(
    database: Database, jobs: JobService, publisher: Publisher, settings: Settings, rabbitmq_server: RabbitMQServer
) -> None:
    submit(jobs, 1)
    make_older(database)
    sweep_until_all_are_published(database, publisher)
    delete_queues(rabbitmq_server, settings)
    rabbitmq_server.stop()
    rabbitmq_server.start()

    [job] = submit(jobs, 1)
    make_older(database)
    sweep_until_all_are_published(database, publisher)

    found: list[str] = []
    until(lambda: take_all(rabbitmq_server, "mlp.default", found) != [])
    assert set(found) == {job.id}
    with channel_of(rabbitmq_server) as channel:
        for name in (*all_broker_queues(settings), "mlp.dead"):
            channel.queue_declare(name, passive=True)


def test_frozen_broker_holds_a_sweep_up_for_seconds_and_is_used_again(
    database: Database, jobs: JobService, publisher: Publisher, rabbitmq_server: RabbitMQServer
) -> None:
    submit(jobs, 1)
    make_older(database)
    sweep_until_all_are_published(database, publisher)
    submit(jobs, 20)
    make_older(database)
    rabbitmq_server.pause()
    before = failures()
    seconds = []

    # The connection that was there is given up, then two new ones that are not answered.
    while failures() < before + 3:
        began = time.monotonic()
        assert publisher.sweep() == 0
        seconds.append(time.monotonic() - began)

    assert max(seconds) < FROZEN_SECONDS_MAX
    rabbitmq_server.go_on()
    sweep_until_all_are_published(database, publisher)
    assert publisher.trouble is None


# RabbitMQ 3.10 cannot declare a quorum queue again that was deleted in its first moments.
@pytest.mark.parametrize("queue_type", ["classic"])
@pytest.mark.parametrize("outage", [RabbitMQServer.stop, RabbitMQServer.pause])
def test_publisher_without_a_broker_is_closed_within_its_bound(
    database: Database,
    jobs: JobService,
    publisher: Publisher,
    rabbitmq_server: RabbitMQServer,
    outage: Callable[[RabbitMQServer], None],
) -> None:
    submit(jobs, 1)
    make_older(database)
    sweep_until_all_are_published(database, publisher)
    outage(rabbitmq_server)
    publisher.publish_soon(submit(jobs, 50))
    began = time.monotonic()

    publisher.close()

    assert time.monotonic() - began < CLOSE_SECONDS_MAX
    assert unpublished(database) == 50
