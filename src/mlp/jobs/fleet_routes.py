"""The routes of workers and queues: list, drain a worker, pause and resume a queue."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from mlp.jobs.fleet_schemas import Pause, Queue, QueueList, Worker, WorkerList
from mlp.jobs.queues import Queues
from mlp.jobs.workers import WorkerRegister

router = APIRouter()


def _workers(request: Request) -> WorkerRegister:
    return cast(WorkerRegister, request.app.state.stack.workers_register)


def _queues(request: Request) -> Queues:
    return cast(Queues, request.app.state.stack.queues)


Workers = Annotated[WorkerRegister, Depends(_workers)]
AllQueues = Annotated[Queues, Depends(_queues)]


@router.get("/v1/workers", tags=["workers"], summary="List workers")
def list_workers(workers: Workers) -> WorkerList:
    """Workers as they reported themselves; none in laptop mode, where threads of the server run jobs."""
    return WorkerList(workers=[Worker.model_validate(worker) for worker in workers.list_workers()])


@router.post("/v1/workers/{worker_id}/drain", tags=["workers"], summary="Let a worker take no more jobs")
def drain_worker(worker_id: str, workers: Workers) -> Worker:
    """The worker, which ends the jobs it has and takes no more; it learns of it within seconds."""
    return Worker.model_validate(workers.set_draining(worker_id, True))


@router.post("/v1/workers/{worker_id}/undrain", tags=["workers"], summary="Let a drained worker take jobs again")
def undrain_worker(worker_id: str, workers: Workers) -> Worker:
    """The worker, which takes jobs again; it learns of it within seconds."""
    return Worker.model_validate(workers.set_draining(worker_id, False))


@router.get("/v1/queues", tags=["queues"], summary="List queues")
def list_queues(queues: AllQueues) -> QueueList:
    """What waits in each queue and since when, and who takes it; reads every queued job."""
    return QueueList(queues=[Queue.model_validate(queue) for queue in queues.list_queues()])


@router.post("/v1/queues/{name}/pause", tags=["queues"], summary="Pause a queue")
def pause_queue(name: str, queues: AllQueues, body: Pause | None = None) -> Queue:
    """The queue, which accepts jobs and starts none; those that run are not disturbed."""
    return Queue.model_validate(queues.pause(name, "" if body is None else body.reason))


@router.post("/v1/queues/{name}/resume", tags=["queues"], summary="Resume a queue")
def resume_queue(name: str, queues: AllQueues) -> Queue:
    """The queue, which starts its jobs again."""
    return Queue.model_validate(queues.resume(name))
