"""The states of a job, which may follow which, and the three priorities."""

from enum import IntEnum, StrEnum

from mlp.errors import BadInput


class JobState(StrEnum):
    """Where a job stands. A final state never changes: a retry of a failed job is a new job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no other state may follow."""
        return not FOLLOWERS[self]


#: What may follow each state. Running goes back to queued when an attempt failed, was given back, or lost its lease.
FOLLOWERS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class Priority(IntEnum):
    """Which waiting job goes first; gaps leave room for others between them."""

    HIGH = 10
    DEFAULT = 0
    LOW = -10


def priority_named(name: str) -> Priority:
    """The priority that a request names.

    Raises:
        BadInput: No such priority.
    """
    try:
        return Priority[name.upper()]
    except KeyError:
        raise BadInput(f'"{name}" is no priority: use high, default or low') from None
