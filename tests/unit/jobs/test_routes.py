import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from mlp.errors import MLPError
from mlp.jobs.routes import router
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState

Story = Callable[[httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def tell(jobs: JobService) -> Callable[[Story], None]:
    """Plays a story of requests against an application with the routes of jobs."""
    app = FastAPI()
    app.state.stack = SimpleNamespace(jobs=jobs)
    app.include_router(router)

    @app.exception_handler(MLPError)
    def show(_request: Request, error: MLPError) -> Response:
        return JSONResponse({"code": error.code}, error.status)

    async def play(story: Story) -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await story(client)

    return lambda story: asyncio.run(play(story))


def submit(jobs: JobService, **options: Any) -> str:
    return jobs.submit("test.echo", "churn", b"{}", **options).id


def finish_next(jobs: JobService) -> None:
    (claim,) = jobs.leases.claim(["test.echo"])
    jobs.leases.finish(claim, JobState.SUCCEEDED, result=b'{"a":1}')


def test_show_answers_at_once_without_wait(jobs: JobService, tell: Callable[[Story], None]) -> None:
    job_id = submit(jobs)

    async def story(client: httpx.AsyncClient) -> None:
        shown = await client.get(f"/v1/jobs/{job_id}")

        assert (shown.status_code, shown.json()["state"]) == (200, "queued")

    tell(story)


def test_show_with_wait_answers_when_the_job_ends(jobs: JobService, tell: Callable[[Story], None]) -> None:
    job_id = submit(jobs)

    async def story(client: httpx.AsyncClient) -> None:
        # More waiters than the pool has threads: each would hold one if waiting took a thread.
        waiting = [asyncio.create_task(client.get(f"/v1/jobs/{job_id}?wait=60")) for _ in range(100)]
        await client.get("/v1/jobs")
        await asyncio.to_thread(finish_next, jobs)

        for answer in await asyncio.gather(*waiting):
            assert (answer.json()["state"], answer.json()["result"]) == ("succeeded", {"a": 1})

    tell(story)


def test_show_with_wait_answers_when_time_is_up_or_the_server_stops(
    jobs: JobService, tell: Callable[[Story], None]
) -> None:
    job_id = submit(jobs)

    async def story(client: httpx.AsyncClient) -> None:
        early = await client.get(f"/v1/jobs/{job_id}?wait=0.01")
        jobs.stop_waiting()
        stopped = await client.get(f"/v1/jobs/{job_id}?wait=60")

        assert (early.json()["state"], stopped.json()["state"]) == ("queued", "queued")

    tell(story)


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "soon"])
def test_show_with_a_wait_out_of_bounds_is_refused(tell: Callable[[Story], None], wait: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.get(f"/v1/jobs/x?wait={wait}")).status_code == 422

    tell(story)


def test_list_filters_and_pages(jobs: JobService, tell: Callable[[Story], None]) -> None:
    ids = [submit(jobs) for _ in range(3)]
    jobs.submit("test.other", None, b"{}")

    async def story(client: httpx.AsyncClient) -> None:
        query = {
            "model": "churn",
            "state": "queued",
            "kind": "test.echo",
            "since": "2020-01-01T00:00:00Z",
            "limit": "2",
        }
        first = (await client.get("/v1/jobs", params=query)).json()
        second = (await client.get("/v1/jobs", params={**query, "cursor": first["next"]})).json()

        assert [job["id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
        assert second["next"] is None

    tell(story)


@pytest.mark.parametrize("query", ["since=yesterday", "cursor=%00", "limit=0", "model=%00"])
def test_list_with_a_bad_query_is_bad_input(tell: Callable[[Story], None], query: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.get(f"/v1/jobs?{query}")

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_input")

    tell(story)


def test_cancel_and_retry(jobs: JobService, tell: Callable[[Story], None]) -> None:
    job_id = submit(jobs)

    async def story(client: httpx.AsyncClient) -> None:
        early = await client.post(f"/v1/jobs/{job_id}/retry")
        cancelled = await client.delete(f"/v1/jobs/{job_id}")
        retried = await client.post(f"/v1/jobs/{job_id}/retry")

        assert (early.status_code, early.json()["code"]) == (409, "conflict")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        assert (retried.status_code, retried.headers["location"]) == (202, f"/v1/jobs/{retried.json()['id']}")
        assert retried.json()["id"] != job_id

    tell(story)


@pytest.mark.parametrize("job_id", ["0198f9a2-0000-7000-8000-000000000000", "%00", "nonsense"])
def test_unknown_job_is_404(tell: Callable[[Story], None], job_id: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for answer in (
            await client.get(f"/v1/jobs/{job_id}?wait=60"),
            await client.delete(f"/v1/jobs/{job_id}"),
            await client.post(f"/v1/jobs/{job_id}/retry"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")

    tell(story)


def events_in(text: str) -> list[tuple[str, str]]:
    """Id and name of each event."""
    blocks = [block.split("\n") for block in text.split("\n\n")]
    return [(block[0].removeprefix("id: "), block[1].removeprefix("event: ")) for block in blocks if len(block) > 2]


def test_events_tell_states_and_the_end_with_its_result(jobs: JobService, tell: Callable[[Story], None]) -> None:
    job_id = submit(jobs)

    async def story(client: httpx.AsyncClient) -> None:
        # More streams than the pool has threads: each would hold one if following took a thread.
        following = [asyncio.create_task(client.get(f"/v1/jobs/{job_id}/events")) for _ in range(100)]
        await client.get("/v1/jobs")
        await asyncio.to_thread(finish_next, jobs)

        for answer in await asyncio.gather(*following):
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
            assert events_in(answer.text)[-1] == ("1.succeeded", "end")
            assert '"result":{"a":1}' in answer.text

    tell(story)


def test_events_of_a_job_that_has_ended_are_its_end_and_then_no_more(
    jobs: JobService, tell: Callable[[Story], None]
) -> None:
    job_id = submit(jobs)
    finish_next(jobs)

    async def story(client: httpx.AsyncClient) -> None:
        first = await client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "0.queued"})
        again = await client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "1.succeeded"})

        assert events_in(first.text) == [("1.succeeded", "end")]
        assert (again.status_code, again.content) == (204, b"")

    tell(story)


def test_events_go_on_behind_the_last_one_and_end_when_the_server_stops(
    jobs: JobService, tell: Callable[[Story], None]
) -> None:
    job_id = submit(jobs)

    async def story(client: httpx.AsyncClient) -> None:
        following = [
            asyncio.create_task(client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": last}))
            for last in ("", "0.queued")
        ]
        await client.get("/v1/jobs")
        jobs.stop_waiting()
        new, resumed = await asyncio.gather(*following)

        assert events_in(new.text) == [("0.queued", "state")]
        assert events_in(resumed.text) == []

    tell(story)


def test_events_of_an_unknown_job_are_404(tell: Callable[[Story], None]) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.get("/v1/jobs/nonsense/events")

        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")

    tell(story)


def test_retry_twice_with_one_key_is_one_job(jobs: JobService, tell: Callable[[Story], None]) -> None:
    job_id = submit(jobs)
    jobs.cancel(job_id)

    async def story(client: httpx.AsyncClient) -> None:
        again = [
            (await client.post(f"/v1/jobs/{job_id}/retry", headers={"Idempotency-Key": '"k"'})).json()["id"]
            for _ in range(2)
        ]

        assert again[0] == again[1] != job_id

    tell(story)
