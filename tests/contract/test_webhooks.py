"""Webhooks on both databases: each end is told at least once, by one of several processes, whatever receivers do."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mlp.clock import now
from mlp.config import Settings
from mlp.errors import BadInput
from mlp.jobs import webhooks_store
from mlp.jobs.job import JobError, NewJob
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.tables import job_webhooks, jobs
from mlp.jobs.webhooks import Webhooks
from mlp.jobs.webhooks_store import Webhook, WebhookState
from mlp.storage.database import Database
from mlp.storage.result_files import ResultFiles
from tests.contract.job_support import claim_one, until
from tests.webhook_receiver import HANG, SECRET, Received, Receiver, receiving

#: Little patience, as the tests have.
DELAYS_SECONDS = (0.05, 0.1)


@pytest.fixture
def settings() -> Settings:
    return Settings(webhook_secret=SecretStr(SECRET), webhook_private_addresses=True)


@pytest.fixture
def service(database: Database, settings: Settings) -> Iterator[JobService]:
    """A job service, its sweeps not begun."""
    made = JobService(database, settings)
    yield made
    made.close()


@contextmanager
def calling(
    database: Database, service: JobService, settings: Settings, *, hears: bool = True, **options: Any
) -> Iterator[Webhooks]:
    """The threads that call; ``hears`` the notices of this process."""
    webhooks = Webhooks(database, service, settings, **{"delays_seconds": DELAYS_SECONDS, **options})
    if hears:
        service.notices.on_finished(webhooks.ended)
    webhooks.start()
    try:
        yield webhooks
    finally:
        webhooks.close()


def submit(service: JobService, url: str) -> str:
    return service.submit("test.echo", "churn", b"{}", webhook_url=url).id


def finish_one(service: JobService, result: bytes = b'{"a":1}') -> None:
    service.leases.finish(claim_one(service), JobState.SUCCEEDED, result=result)


def webhook_of(service: JobService, job_id: str) -> Webhook:
    webhook = service.find_webhook(job_id)
    assert webhook is not None
    return webhook


def set_row(database: Database, job_id: str, **values: Any) -> None:
    with database.transaction() as connection:
        connection.execute(sa.update(job_webhooks).where(job_webhooks.c.job_id == job_id).values(**values))


def calls_of(receiver: Receiver, job_id: str) -> list[Received]:
    return [received for received in list(receiver.received) if received.headers["webhook-id"] == job_id]


def end_long_ago(database: Database, job_id: str) -> None:
    with database.transaction() as connection:
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(finished_at=now().replace(year=2020)))


def test_end_is_told_at_once_signed_and_noted(database: Database, service: JobService, settings: Settings) -> None:
    with receiving() as receiver, calling(database, service, settings):
        job_id = submit(service, receiver.url)
        finish_one(service)
        until(lambda: webhook_of(service, job_id).state is WebhookState.DELIVERED)

    (received,) = receiver.received
    webhook = webhook_of(service, job_id)
    assert received.is_signed()
    assert abs(int(received.headers["webhook-timestamp"]) - now().timestamp()) < 60
    assert (received.document["id"], received.document["type"]) == (job_id, "job.succeeded")
    assert received.document["result"] == {"a": 1}
    assert (webhook.attempt, webhook.last_status, webhook.last_error) == (1, 204, None)
    assert webhook.ended_at is not None


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_every_end_is_told(database: Database, service: JobService, settings: Settings, end: str) -> None:
    with receiving() as receiver, calling(database, service, settings):
        job_id = submit(service, receiver.url)
        if end == "failed":
            service.leases.finish(claim_one(service), JobState.FAILED, error=JobError("model_failed", "it raised"))
        else:
            service.cancel(job_id)
        until(lambda: len(receiver.received) == 1)

    assert receiver.received[0].document["type"] == f"job.{end}"


def test_unfinished_job_is_not_told(database: Database, service: JobService, settings: Settings) -> None:
    with receiving() as receiver, calling(database, service, settings) as webhooks:
        job_id, other = submit(service, receiver.url), submit(service, receiver.url)
        claim_one(service)
        webhooks.ended_elsewhere(job_id)  # a notice that is wrong
        service.cancel(other)
        until(lambda: webhook_of(service, other).state is WebhookState.DELIVERED)

    assert calls_of(receiver, job_id) == []
    assert webhook_of(service, job_id) == Webhook(receiver.url, WebhookState.OPEN, 0, None, None, None)


def test_lost_notice_is_made_good(database: Database, service: JobService, settings: Settings) -> None:
    with receiving() as receiver:
        job_id = submit(service, receiver.url)
        finish_one(service)
        with calling(database, service, settings, hears=False):
            until(lambda: webhook_of(service, job_id).state is WebhookState.DELIVERED)

    assert len(receiver.received) == 1


def test_receiver_that_fails_twice_is_called_three_times(
    database: Database, service: JobService, settings: Settings
) -> None:
    with receiving([500, 503]) as receiver, calling(database, service, settings):
        job_id = submit(service, receiver.url)
        finish_one(service)
        until(lambda: webhook_of(service, job_id).state is WebhookState.DELIVERED)

    assert [received.headers["webhook-id"] for received in receiver.received] == [job_id] * 3
    assert all(received.is_signed() for received in receiver.received)
    assert webhook_of(service, job_id).attempt == 3


def test_receiver_that_was_away_is_called_when_it_is_back(
    database: Database, service: JobService, settings: Settings
) -> None:
    with receiving() as away:
        pass
    with calling(database, service, settings):
        job_id = submit(service, away.url)
        finish_one(service)
        until(lambda: webhook_of(service, job_id).last_error is not None)
        assert webhook_of(service, job_id).state is WebhookState.OPEN
        with receiving(port=away.port) as back:
            until(lambda: webhook_of(service, job_id).state is WebhookState.DELIVERED)

    assert len(back.received) == 1


def test_receiver_that_hangs_does_not_hold_up_others(
    database: Database, service: JobService, settings: Settings
) -> None:
    with ExitStack() as stack:
        hanging = stack.enter_context(receiving([HANG] * 100))
        well = stack.enter_context(receiving())
        stack.enter_context(calling(database, service, settings))
        for _ in range(4):
            submit(service, hanging.url)
            finish_one(service)
        until(lambda: len(hanging.received) == 4)
        job_id = submit(service, well.url)
        finish_one(service)

        until(lambda: webhook_of(service, job_id).state is WebhookState.DELIVERED)


def test_redirect_to_a_private_address_is_not_followed(
    database: Database, service: JobService, settings: Settings
) -> None:
    with ExitStack() as stack:
        private = stack.enter_context(receiving())
        receiver = stack.enter_context(receiving([302], location=private.url))
        stack.enter_context(calling(database, service, settings))
        job_id = submit(service, receiver.url)
        finish_one(service)
        until(lambda: webhook_of(service, job_id).state is WebhookState.DELIVERED)

    assert private.received == []
    assert len(receiver.received) == 2


def test_private_address_behind_a_name_is_refused_for_good(database: Database, settings: Settings) -> None:
    public_only = settings.model_copy(update={"webhook_private_addresses": False})
    service = JobService(database, public_only)
    try:
        with receiving() as receiver, calling(database, service, public_only):
            job_id = submit(service, f"http://localhost:{receiver.port}/")
            finish_one(service)
            until(lambda: webhook_of(service, job_id).state is WebhookState.FAILED)
            with pytest.raises(BadInput):
                submit(service, receiver.url)

        assert receiver.received == []
        assert "no public address" in str(webhook_of(service, job_id).last_error)
    finally:
        service.close()


def test_receiver_that_wants_no_more_is_not_called_again(
    database: Database, service: JobService, settings: Settings
) -> None:
    with receiving([410]) as receiver, calling(database, service, settings):
        job_id = submit(service, receiver.url)
        finish_one(service)
        until(lambda: webhook_of(service, job_id).state is WebhookState.FAILED)

    assert (len(receiver.received), webhook_of(service, job_id).last_status) == (1, 410)


def test_a_day_after_the_end_it_is_given_up(database: Database, service: JobService, settings: Settings) -> None:
    with receiving([500] * 100) as receiver:
        job_id = submit(service, receiver.url)
        finish_one(service)
        end_long_ago(database, job_id)
        with calling(database, service, settings):
            until(lambda: webhook_of(service, job_id).state is WebhookState.FAILED)

    assert webhook_of(service, job_id).last_error == "the receiver answered 500"


def test_job_whose_result_is_lost_is_noted_and_given_up(database: Database, settings: Settings, tmp_path: Path) -> None:
    files = ResultFiles(tmp_path / "results", inline_bytes_max=0)
    with closing(JobService(database, settings, files)) as service, receiving() as receiver:
        job_id = submit(service, receiver.url)
        finish_one(service)
        for path in tmp_path.glob("results/*/*"):
            path.unlink()
        with calling(database, service, settings):
            until(lambda: webhook_of(service, job_id).last_error is not None)
            end_long_ago(database, job_id)
            until(lambda: webhook_of(service, job_id).state is WebhookState.FAILED)

    assert "is not on this machine" in (webhook_of(service, job_id).last_error or "")
    assert receiver.received == []


def test_call_of_a_dead_process_is_made_again_when_its_lease_is_over(
    database: Database, service: JobService, settings: Settings
) -> None:
    with receiving() as receiver:
        job_id = submit(service, receiver.url)
        finish_one(service)
        with database.transaction() as connection:
            (call,) = webhooks_store.take(connection, [job_id], 60.0)  # and then its process dies
            assert webhooks_store.take(connection, [job_id], 60.0) == []
        with calling(database, service, settings) as webhooks:
            webhooks.ended_elsewhere(job_id)
            other = submit(service, receiver.url)
            finish_one(service)
            until(lambda: webhook_of(service, other).state is WebhookState.DELIVERED)
            assert calls_of(receiver, job_id) == []
            set_row(database, job_id, due_at=now().replace(year=2020))
            until(lambda: webhook_of(service, job_id).state is WebhookState.DELIVERED)

    with database.transaction() as connection:
        assert not webhooks_store.end(connection, call, WebhookState.FAILED, None, "late")
    assert webhook_of(service, job_id).state is WebhookState.DELIVERED


def test_several_processes_call_each_once(database: Database, settings: Settings) -> None:
    services = [JobService(database, settings) for _ in range(3)]
    count = 60
    with receiving() as receiver, ExitStack() as stack:
        new_jobs = [NewJob("test.echo", "churn", b"{}", webhook_url=receiver.url) for _ in range(count)]
        job_ids = [job.id for job in services[0].submit_many(new_jobs)]
        everybody = [stack.enter_context(calling(database, each, settings)) for each in services]
        for job_id in job_ids:
            services[0].cancel(job_id)
            for webhooks in everybody[1:]:
                webhooks.ended_elsewhere(job_id)
        until(lambda: len(receiver.received) >= count)
        until(lambda: all(webhook_of(services[0], job_id).state is WebhookState.DELIVERED for job_id in job_ids))

    for each in services:
        each.close()
    assert sorted(received.headers["webhook-id"] for received in receiver.received) == sorted(job_ids)


def test_due_webhooks_are_found_by_their_index(database: Database, service: JobService) -> None:
    if database.is_sqlite:
        with database.reading() as connection:
            query = "SELECT job_id FROM job_webhooks WHERE state = 'open' AND due_at <= '2030' ORDER BY due_at LIMIT 5"
            plan = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {query}")).all()
        assert any("ix_job_webhooks_open" in row.detail for row in plan)
    with database.reading() as connection:
        assert webhooks_store.list_due_ids(connection, 5) == []
        assert webhooks_store.count_open(connection) == 0


def test_retried_job_has_the_webhook_of_the_first(database: Database, service: JobService) -> None:
    job_id = submit(service, "http://example.org/done")
    service.cancel(job_id)

    again = service.retry(job_id)

    assert webhook_of(service, again.id).url == "http://example.org/done"


def test_repeated_submit_makes_one_webhook(database: Database, service: JobService) -> None:
    options: dict[str, Any] = {"idempotency_key": "k", "webhook_url": "http://example.org/done"}

    ids = {service.submit("test.echo", "churn", b"{}", **options).id for _ in range(2)}

    with database.reading() as connection:
        assert len(ids) == webhooks_store.count_open(connection) == 1


def test_close_waits_for_a_call_under_way_and_begins_no_other(
    database: Database, service: JobService, settings: Settings
) -> None:
    with receiving() as receiver:
        with calling(database, service, settings):
            for _ in range(20):
                submit(service, receiver.url)
                finish_one(service)
            until(lambda: len(receiver.received) > 0)
        after_close = len(receiver.received)
        names = [thread.name for thread in threading.enumerate()]

    assert not [name for name in names if name.startswith("mlp-webhook")]
    assert len(receiver.received) == after_close
