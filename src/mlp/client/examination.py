"""What a server finds when it examines itself and what is beside it: the parts, and what should be done."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad a finding is, the worst first; a note is no trouble, and worth a look."""

    FAILED = "failed"
    WARNING = "warning"
    NOTE = "note"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the installation.

    Attributes:
        name: Such as ``database`` or ``worker``.
        version: None where it gives none.
        latency_ms: How long its answer took; None for what is not asked over a network.
        detail: What is wrong, or what else there is to say.
    """

    name: str
    status: Status
    version: str | None = None
    latency_ms: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that should be done about.

    Attributes:
        kind: What it is about, such as ``database`` or ``queue``; causes of one kind rank alike.
        subject: The thing itself: the name of a queue, a worker, a model.
        remedy: The command, or the deed, that mends it.
    """

    kind: str
    subject: str
    status: Status
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Examination:
    """All of it.

    Attributes:
        is_stack: The server belongs to the deployed stack; else it is one process on a laptop.
        causes: The most urgent first, and a cause before what follows from it.
    """

    is_stack: bool
    components: list[Component]
    causes: list[Cause]

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is broken."""
        statuses = [*(part.status for part in self.components), *(cause.status for cause in self.causes)]
        return Status.FAILED not in statuses
