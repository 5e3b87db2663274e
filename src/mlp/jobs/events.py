"""The course of one job as server-sent events: its states and progress, then its end with the result.

Source: WHATWG HTML, section 9.2 (server-sent events). Every event carries the job as ``GET /v1/jobs/{id}`` shows it,
and an id that follows from the row: whoever comes back with it, to any process, goes on from there.
"""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import Future

import msgspec
from fastapi.concurrency import run_in_threadpool

from mlp.errors import MLPError
from mlp.jobs.job import Job
from mlp.jobs.schemas import shown
from mlp.jobs.service import JobService

MEDIA_TYPE = "text/event-stream"
#: Against proxies that take a silent connection for a dead one, as the section's notes for authors advise.
PING_SECONDS = 15.0
_PING = b": ping\n\n"
#: A browser whose stream ended comes back after this.
_RETRY = b"retry: 1000\n\n"
_LINE_END = re.compile(rb"\r\n|\r|\n")


def event_id(job: Job) -> str:
    """Names what the job's row says: state, attempt and progress."""
    place = f"{job.attempt}.{job.state}"
    if job.progress is None or job.is_final:
        return place
    return f"{place}.{job.progress.done}.{zlib.crc32(msgspec.json.encode(job.progress)):08x}"


def event_of(job: Job, before: Job | None = None) -> bytes:
    """The event that shows the job: ``end`` with its result, else ``progress`` or ``state``.

    Args:
        before: What the stream has shown last.
    """
    is_same_run = before is not None and (before.state, before.attempt) == (job.state, job.attempt)
    name = "end" if job.is_final else "progress" if is_same_run else "state"
    # Within JSON a line end can only be a blank, but between the lines of a stream it would end the data.
    lines = _LINE_END.split(msgspec.json.encode(shown(job)))
    data = b"".join(b"data: " + line + b"\n" for line in lines)
    return f"id: {event_id(job)}\nevent: {name}\n".encode() + data + b"\n"


async def events_of(jobs: JobService, job_id: str, last_id: str | None) -> AsyncIterator[bytes]:
    """The events of a job after the one of that id, to its end; holds no thread while nothing happens.

    It ends before the job does where this server stops or the database is away: the reader comes back.
    """
    news = _News()
    before: Job | None = None
    with jobs.watching(job_id) as end, jobs.following(job_id, news.put):
        end.add_done_callback(news.ring)
        yield _RETRY
        job = await _read(jobs, job_id)
        while job is not None:
            if event_id(job) != last_id:
                last_id = event_id(job)
                yield event_of(job, before)
                before = job
            if job.is_final:
                return
            if await news.has_come(PING_SECONDS):
                job = await _newest(jobs, job, end, news)
            else:
                yield _PING


async def _newest(jobs: JobService, job: Job, end: "Future[Job | None]", news: "_News") -> Job | None:
    """The job as the news has it, with its result if it has ended; None if the news is that this server stops."""
    if end.done():
        ended = end.result() or await _read(jobs, job.id)
        return ended if ended is not None and ended.is_final else None
    latest = news.latest
    if latest is None or latest.is_final:
        return await _read(jobs, job.id)
    return latest


async def _read(jobs: JobService, job_id: str) -> Job | None:
    try:
        return await run_in_threadpool(jobs.get, job_id)
    except MLPError:
        return None  # the stream has begun, so that nothing can be said; the reader's next request says it


class _News:
    """Carries what threads tell to one reader on the event loop; of several jobs told meanwhile the latest counts."""

    def __init__(self) -> None:
        self.latest: Job | None = None
        self._loop = asyncio.get_running_loop()
        self._bell = asyncio.Event()

    def put(self, job: Job) -> None:
        """Tell of the job; from any thread."""
        self.latest = job
        self.ring()

    def ring(self, _end: object = None) -> None:
        """Wake the reader; from any thread."""
        self._loop.call_soon_threadsafe(self._bell.set)

    async def has_come(self, timeout_seconds: float) -> bool:
        """Whether there was news within the time."""
        try:
            await asyncio.wait_for(self._bell.wait(), timeout_seconds)
        except TimeoutError:
            return False
        self._bell.clear()
        return True
