"""Workers and queues as HTTP shows them."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from mlp.jobs.workers import WorkerPhase

_REASON_CHARACTERS_MAX = 1000


class Worker(BaseModel):
    """A process, or a container, that runs jobs."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    host: str = Field(description="name of its machine or container")
    pid: int
    release: str = Field(description="of MLP")
    queues: list[str] = Field(description="what it takes, the most urgent first")
    processes: int = Field(description="jobs that it runs at the same time")
    state: WorkerPhase = Field(description="what it says of itself")
    started_at: datetime
    age_seconds: float = Field(description="since it was heard of")
    is_live: bool = Field(description="heard of within 15 s, and not to say that it has ended")
    is_draining: bool = Field(description="an operator wants it to take no more jobs")


class WorkerList(BaseModel):
    """All workers that are remembered, the newest first."""

    workers: list[Worker]


class Queue(BaseModel):
    """A queue that workers take jobs from."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    queued: int
    running: int
    oldest_seconds: float | None = Field(description="how long the oldest job has been free to run")
    unpublished: int = Field(description="jobs free to run whose wake-up the broker has not confirmed")
    unpublished_seconds: float | None = Field(description="how long the oldest of these has been free to run")
    workers: int = Field(description="workers that take new jobs from it")
    is_known: bool = Field(description="settings name it; if not, it is left over")
    is_paused: bool
    reason: str | None = Field(description="why it is paused")
    paused_at: datetime | None


class QueueList(BaseModel):
    """All queues, the most urgent first."""

    queues: list[Queue]


class Pause(BaseModel):
    """Why a queue shall be paused, for whoever finds it so."""

    reason: str = Field("", max_length=_REASON_CHARACTERS_MAX)
