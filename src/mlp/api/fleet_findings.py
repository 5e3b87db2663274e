"""What the register of workers, the queues and the failed jobs mean: the workers as parts, and causes of trouble."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlp import __version__
from mlp.client.examination import Cause, Component, Status
from mlp.jobs.queues import Failures, QueueState
from mlp.jobs.workers import SeenWorker, WorkerPhase

#: Failed jobs of this time are told about.
FAILURES_SECONDS = 3600.0
#: Older silence is history, not trouble.
_RECENT_SECONDS = 600.0
#: Starts of one host within that time that are no operator's doing any more.
_STARTS_MIN = 3
#: Jobs that have been free to run for so long while workers take them: there are too few.
_WAIT_SECONDS = 60.0
#: The sweep sends a missing wake-up within 3 s; later than this it does not get through.
_UNPUBLISHED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the database says of workers, queues and failures."""

    workers: Sequence[SeenWorker]
    queues: Sequence[QueueState]
    failures: Sequence[Failures]


def components_of(fleet: Fleet) -> Iterator[Component]:
    """A part for each worker that is live, or was a while ago."""
    for worker in fleet.workers:
        name = f"worker {worker.id}"
        if worker.is_live:
            queues = " ".join(worker.queues)
            is_drained = worker.is_draining or worker.state is WorkerPhase.DRAINING
            detail = f"{worker.processes} processes, {queues}{', drained' if is_drained else ''}"
            yield Component(name, Status.NOTE if is_drained else Status.OK, worker.release, detail=detail)
        elif _is_lost(worker):
            detail = f"not heard of for {worker.age_seconds:.0f} s"
            yield Component(name, Status.WARNING, worker.release, detail=detail)


def causes_of(fleet: Fleet, *, is_stack: bool) -> Iterator[Cause]:
    """What should be done about it."""
    if is_stack:
        yield from _workers_gone(fleet.workers)
        yield from _workers_restarting(fleet.workers)
        yield from _mixed_releases(fleet.workers)
    yield from _paused(fleet.queues)
    yield from _untaken(fleet, is_stack=is_stack)
    yield from _waiting_long(fleet.queues, is_stack=is_stack)
    yield from _unpublished(fleet.queues)
    yield from _failed(fleet.failures)


def _is_lost(worker: SeenWorker) -> bool:
    is_silent = not worker.is_live and worker.state is not WorkerPhase.STOPPED
    return is_silent and worker.age_seconds < _RECENT_SECONDS


def _workers_gone(workers: Sequence[SeenWorker]) -> Iterator[Cause]:
    logs = "docker compose up -d worker; docker compose logs --tail 50 worker"
    if not any(worker.is_live for worker in workers):
        yield Cause("worker", "worker", Status.FAILED, "no worker lives: jobs are accepted, and none is done", logs)
        return
    live_hosts = {worker.host for worker in workers if worker.is_live}
    for worker in workers:
        # One that has started again on the same host is told about as restarting.
        if _is_lost(worker) and worker.host not in live_hosts:
            detail = f"fell silent {worker.age_seconds:.0f} s ago without saying goodbye"
            yield Cause("worker", worker.id, Status.WARNING, detail, logs)


def _workers_restarting(workers: Sequence[SeenWorker]) -> Iterator[Cause]:
    starts: dict[str, set[str]] = defaultdict(set)
    for worker in workers:
        if worker.up_seconds < _RECENT_SECONDS:
            starts[worker.host].add(worker.id)
    for host, ids in starts.items():
        if len(ids) >= _STARTS_MIN:
            detail = f"has started {len(ids)} times in the last 10 minutes"
            remedy = "docker compose logs --tail 100 worker (memory: WORKER_MEMORY in .env)"
            yield Cause("worker", f"host {host}", Status.FAILED, detail, remedy)


def _mixed_releases(workers: Sequence[SeenWorker]) -> Iterator[Cause]:
    releases = Counter(worker.release for worker in workers if worker.is_live)
    others = {release: count for release, count in releases.items() if release != __version__}
    if others:
        found = ", ".join(f"{count} of {release}" for release, count in sorted(others.items()))
        detail = f"the api is {__version__}, and workers are {found}"
        remedy = "docker compose build; docker compose up -d api worker"
        yield Cause("versions", "release", Status.WARNING, detail, remedy)


def _paused(queues: Sequence[QueueState]) -> Iterator[Cause]:
    for queue in queues:
        if queue.is_paused and queue.queued:
            why = f": {queue.reason}" if queue.reason else ""
            detail = f"paused with {_jobs(queue.queued)} waiting{why}"
            yield Cause("pause", queue.name, Status.WARNING, detail, f"mlp queues resume {queue.name}")


def _untaken(fleet: Fleet, *, is_stack: bool) -> Iterator[Cause]:
    for queue in fleet.queues:
        # Without any worker that is the trouble, and is told; a queue that is left over and empty is none.
        is_told = not any(worker.is_live for worker in fleet.workers) and not queue.queued
        if queue.workers or queue.is_paused or is_told or not (queue.queued or queue.is_known):
            continue
        status = Status.FAILED if queue.queued else Status.WARNING
        waiting = f"{_jobs(queue.queued)} queued, and no worker takes them"
        detail = waiting if queue.queued else "no worker takes it"
        yield Cause("queue", queue.name, status, detail, _taking(queue, fleet.workers, is_stack=is_stack))


def _taking(queue: QueueState, workers: Sequence[SeenWorker], *, is_stack: bool) -> str:
    """What gives the queue a worker."""
    drained = [worker for worker in workers if worker.is_live and worker.is_draining and queue.name in worker.queues]
    if not is_stack:
        return "mlp serve with MLP_JOB_WORKERS above 0 takes mlp.high, mlp.default and mlp.low; others need the stack"
    if not queue.is_known:
        return f"add {queue.name.removeprefix('mlp.')} to MLP_QUEUES in .env, then docker compose up -d api worker"
    if drained:
        return f"mlp workers drain --undo {drained[0].id}"
    if not any(worker.is_live for worker in workers):
        return "docker compose up -d worker"
    return "add it to CELERY_QUEUE in .env, or leave that empty, then docker compose up -d worker"


def _waiting_long(queues: Sequence[QueueState], *, is_stack: bool) -> Iterator[Cause]:
    for queue in queues:
        is_late = queue.oldest_seconds is not None and queue.oldest_seconds > _WAIT_SECONDS
        if is_late and queue.workers and not queue.is_paused:
            detail = f"{_jobs(queue.queued)} queued, the oldest free to run for {queue.oldest_seconds:.0f} s"
            scaled = f"docker compose up -d --scale worker={queue.workers + 1}"
            remedy = scaled if is_stack else "mlp serve with a greater MLP_JOB_WORKERS"
            yield Cause("backlog", queue.name, Status.WARNING, detail, f"more workers: {remedy}")


def _unpublished(queues: Sequence[QueueState]) -> Iterator[Cause]:
    for queue in queues:
        seconds = queue.unpublished_seconds
        if seconds is not None and seconds > _UNPUBLISHED_SECONDS and not queue.is_paused:
            detail = f"{_jobs(queue.unpublished)} without a wake-up, the oldest for {seconds:.0f} s"
            remedy = "see that RabbitMQ answers: docker compose ps rabbitmq; docker compose logs --tail 50 rabbitmq"
            yield Cause("publishing", queue.name, Status.WARNING, detail, remedy)


def _failed(failures: Sequence[Failures]) -> Iterator[Cause]:
    for each in failures:
        what = each.kind if each.model is None else f"{each.kind} of {each.model}"
        detail = f"{each.count:,} failed in the last hour with {each.code or 'no code'}"
        remedy = f"mlp jobs show {each.latest_id}; once mended, mlp jobs retry {each.latest_id}"
        yield Cause("jobs", what, Status.WARNING, detail, remedy)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
