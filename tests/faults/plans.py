"""What a fault is: how it begins, how long it lasts, how it is undone, and what may be expected then."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults.cluster import Cluster

#: "A probe job passes within 2 s after healing, 10 s after a PostgreSQL crash recovery" (issue 4).
PROBE_SECONDS = 2.0
PROBE_SECONDS_AFTER_RECOVERY = 10.0


def nothing() -> None:
    """Nothing is to be undone."""


@dataclass(frozen=True)
class FaultPlan:
    """One fault, ready to be caused.

    Attributes:
        target: Whom it hits.
        hold_seconds: How long it lasts.
        begin: Causes it.
        end: Undoes it; what ended by itself is started again by the cluster.
        takes_database_away: No commit is possible from begin() to end().
    """

    target: str
    hold_seconds: float
    begin: Callable[[], object]
    end: Callable[[], object] = nothing
    probe_seconds_max: float = PROBE_SECONDS
    takes_database_away: bool = False


MakeFault = Callable[[Cluster, random.Random], FaultPlan]


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        needs: What the machine must have: ``root`` or ``faketime``; empty: nothing.
    """

    name: str
    make: MakeFault
    needs: str = ""


def some(random_source: random.Random, names: Sequence[str]) -> list[str]:
    """One of the names, or all of them."""
    return list(names) if random_source.random() < 0.3 else [random_source.choice(names)]
