import asyncio

from mlp.jobs.job import Job
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState


def test_offer_can_be_awaited(jobs: JobService) -> None:
    async def submit_three() -> list[Job]:
        offers = [jobs.offer("test.echo", "churn", b"{}", idempotency_key=key) for key in ("a", "b", "a")]
        return await asyncio.gather(*map(asyncio.wrap_future, offers))

    first, second, again = asyncio.run(submit_three())

    assert first == again
    assert first.id != second.id
    assert jobs.get(first.id) == first


def test_wait_ends_at_once_when_the_service_stops(jobs: JobService) -> None:
    job = jobs.submit("test.echo", None, b"{}")

    jobs.stop_waiting()

    assert jobs.wait(job.id, 3600).state is JobState.QUEUED
