"""Deaths at named points of a job's path, and clocks that jump."""

import random

from tests.faults.cluster import APIS, WORKERS, Cluster
from tests.faults.plans import FaultPlan, Kind, MakeFault
from tests.servers import until

#: Who passes which point (mlp.crash_points.reach() in src): each between two steps of a job's path.
API_POINTS = ("before_accept_commit", "after_accept_commit", "after_publish", "before_mark_published")
WORKER_POINTS = (
    "after_claim",
    "after_renewal",
    "before_result_commit",
    "after_result_commit",
    "after_notice",
    "before_ack",
)
_HIT_SECONDS = 15.0
_JUMP_SECONDS = (6.0, 12.0)


def _crash(role: str, point: str) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        order = cluster.crash_folder(role) / point

        def begin() -> None:
            order.touch()
            try:
                until(lambda: not order.exists(), _HIT_SECONDS, lambda: f"nobody passed {point}")
            finally:
                order.unlink(missing_ok=True)

        return FaultPlan(f"{role} at {point}", 1.0, begin)

    return make


def _jump(seconds: int) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        name = source.choice([APIS[-1], WORKERS[-1]])
        file = cluster.clock_file(name)

        def put(offset: str) -> None:
            aside = file.with_suffix(".new")
            aside.write_text(f"{offset}\n", encoding="ascii")
            aside.replace(file)

        return FaultPlan(
            f"{name} by {seconds:+d} s",
            source.uniform(*_JUMP_SECONDS),
            lambda: put(f"{seconds:+d}s"),
            lambda: put("+0s"),
        )

    return make


KINDS = (
    *(Kind(f"crash-api-{point}", _crash("api", point)) for point in API_POINTS),
    *(Kind(f"crash-worker-{point}", _crash("worker", point)) for point in WORKER_POINTS),
    Kind("clock-forward", _jump(3600), needs="faketime"),
    Kind("clock-back", _jump(-3600), needs="faketime"),
)
