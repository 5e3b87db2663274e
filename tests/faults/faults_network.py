"""Faults of the network between each pair: cut, cut in one direction, reset, refused, slow."""

import random
from collections.abc import Sequence

from tests.faults.cluster import APIS, POSTGRES, RABBITMQ, REDIS, WORKERS, Cluster
from tests.faults.plans import FaultPlan, Kind, MakeFault, some
from tests.faults.proxy import DROP, MUTE, PASS, REFUSE

_CUT_SECONDS = (5.0, 15.0)
_DELAYS_SECONDS = (0.05, 0.5)
_RESETS = 5
_ROLES = {"api": APIS, "worker": WORKERS}


def _links(source: random.Random, role: str, server: str) -> list[str]:
    return [f"{name}:{server}" for name in some(source, _ROLES[role])]


def _takes_away(role: str, server: str, links: Sequence[str]) -> bool:
    return role == "api" and server == POSTGRES and len(links) == len(APIS)


def _cut(role: str, server: str, mode: str) -> MakeFault:
    """Nothing flows, or no answer comes back; the end of a muted link is a reset, so that its answers never come."""

    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        links = _links(source, role, server)
        is_lossy = mode == MUTE or source.random() < 0.5

        def end() -> None:
            if is_lossy:
                cluster.links.reset(links)
            cluster.links.set(links, PASS)

        return FaultPlan(
            "+".join(links),
            source.uniform(*_CUT_SECONDS),
            lambda: cluster.links.set(links, mode),
            end,
            # Through a muted link a commit gets through.
            takes_database_away=mode != MUTE and _takes_away(role, server, links),
        )

    return make


def _reset(role: str, server: str) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        links = _links(source, role, server)
        return FaultPlan("+".join(links), 0.5, lambda: cluster.links.reset(links), lambda: cluster.links.reset(links))

    return make


def _delay(role: str, server: str) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        links = _links(source, role, server)
        seconds = source.uniform(*_DELAYS_SECONDS)
        return FaultPlan(
            f"{'+'.join(links)} by {seconds:.2f} s",
            source.uniform(*_CUT_SECONDS),
            lambda: cluster.links.set(links, PASS, seconds),
            lambda: cluster.links.set(links, PASS),
        )

    return make


def _reset_clients(cluster: Cluster, source: random.Random) -> FaultPlan:
    """Clients are cut off in the middle of their requests."""
    links = [f"client:{name}" for name in APIS]

    def begin() -> None:
        for _ in range(_RESETS):
            cluster.links.reset(links)

    return FaultPlan("+".join(links), 1.0, begin, begin)


_PAIRS = [(role, server) for role in _ROLES for server in (POSTGRES, RABBITMQ, REDIS)]

KINDS = (
    *(Kind(f"partition-{role}-{server}", _cut(role, server, DROP)) for role, server in _PAIRS),
    *(Kind(f"mute-{role}-{server}", _cut(role, server, MUTE)) for role, server in _PAIRS),
    *(Kind(f"refuse-{role}-{server}", _cut(role, server, REFUSE)) for role, server in _PAIRS),
    *(Kind(f"reset-{role}-{server}", _reset(role, server)) for role, server in _PAIRS),
    *(Kind(f"delay-{role}-{server}", _delay(role, server)) for role, server in _PAIRS),
    Kind("reset-clients", _reset_clients),
)
