"""Faults of processes: killed, frozen, restarted; ours and those of PostgreSQL, RabbitMQ and Redis."""

import random
import time
from collections.abc import Callable, Sequence

from tests.faults.cluster import APIS, POSTGRES, RABBITMQ, REDIS, WORKERS, Cluster
from tests.faults.members import Member
from tests.faults.plans import PROBE_SECONDS, PROBE_SECONDS_AFTER_RECOVERY, FaultPlan, Kind, MakeFault, some
from tests.faults.processes import CONTINUE, KILL, STOP, send

_PAUSE_SECONDS = (5.0, 20.0)
_DOWN_SECONDS = (1.0, 6.0)
_SETTLE_SECONDS = 1.0


def _each(cluster: Cluster, names: Sequence[str], act: Callable[[Member], object]) -> Callable[[], None]:
    def act_on_each() -> None:
        for name in names:
            act(cluster.members[name])

    return act_on_each


def _kill_members(names: Sequence[str]) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        chosen = some(source, names)
        return FaultPlan("+".join(chosen), _SETTLE_SECONDS, _each(cluster, chosen, Member.kill))

    return make


def _restart_members(names: Sequence[str]) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        name = source.choice(names)
        return FaultPlan(name, 0.0, _each(cluster, [name], Member.restart))

    return make


def _pause_members(names: Sequence[str]) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        chosen = some(source, names)
        return FaultPlan(
            "+".join(chosen),
            source.uniform(*_PAUSE_SECONDS),
            _each(cluster, chosen, lambda member: member.signal(STOP)),
            _each(cluster, chosen, lambda member: member.signal(CONTINUE)),
        )

    return make


def _kill_child(cluster: Cluster, source: random.Random) -> FaultPlan:
    name = source.choice(WORKERS)

    def begin() -> None:
        children = cluster.members[name].children()
        if children:
            send([source.choice(children)], KILL)

    return FaultPlan(f"a process of {name}", _SETTLE_SECONDS, begin)


def _pause_child(cluster: Cluster, source: random.Random) -> FaultPlan:
    name = source.choice(WORKERS)
    frozen: list[int] = []

    def begin() -> None:
        children = cluster.members[name].children()
        if children:
            frozen.append(source.choice(children))
            send(frozen, STOP)

    return FaultPlan(f"a process of {name}", source.uniform(*_PAUSE_SECONDS), begin, lambda: send(frozen, CONTINUE))


def _probe_seconds(server: str, order: str) -> float:
    return PROBE_SECONDS_AFTER_RECOVERY if server == POSTGRES and order != "stop" else PROBE_SECONDS


def _take_down(server: str, order: str) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        faulty = cluster.servers[server]
        return FaultPlan(
            server,
            source.uniform(*_DOWN_SECONDS),
            lambda: faulty.order(order),
            faulty.start,
            probe_seconds_max=_probe_seconds(server, order),
            takes_database_away=server == POSTGRES,
        )

    return make


def _pause_server(server: str) -> MakeFault:
    def make(cluster: Cluster, source: random.Random) -> FaultPlan:
        faulty = cluster.servers[server]
        return FaultPlan(
            server,
            source.uniform(*_PAUSE_SECONDS),
            lambda: faulty.order("pause"),
            lambda: faulty.order("go_on"),
            takes_database_away=server == POSTGRES,
        )

    return make


def _kill_everything(cluster: Cluster, source: random.Random) -> FaultPlan:
    """As a power cut: all at once, and back in any order."""
    servers = list(cluster.servers.values())
    source.shuffle(servers)
    kill_members = _each(cluster, [*APIS, *WORKERS], Member.kill)

    def begin() -> None:
        kill_members()
        for server in servers:
            server.order("kill")

    def end() -> None:
        for server in servers:
            server.start()
            time.sleep(source.uniform(0, 1))

    return FaultPlan("everything", _SETTLE_SECONDS, begin, end, PROBE_SECONDS_AFTER_RECOVERY, takes_database_away=False)


KINDS = (
    Kind("kill-api", _kill_members(APIS)),
    Kind("pause-api", _pause_members(APIS)),
    Kind("restart-api", _restart_members(APIS)),
    Kind("kill-worker", _kill_members(WORKERS)),
    Kind("pause-worker", _pause_members(WORKERS)),
    Kind("restart-worker", _restart_members(WORKERS)),
    Kind("kill-worker-child", _kill_child),
    Kind("pause-worker-child", _pause_child),
    *(Kind(f"kill-{name}", _take_down(name, "kill")) for name in (POSTGRES, RABBITMQ, REDIS)),
    *(Kind(f"pause-{name}", _pause_server(name)) for name in (POSTGRES, RABBITMQ, REDIS)),
    *(Kind(f"restart-{name}", _take_down(name, "stop")) for name in (POSTGRES, RABBITMQ, REDIS)),
    Kind("kill-postmaster", _take_down(POSTGRES, "kill_main")),
    Kind("stop-postgres-immediately", _take_down(POSTGRES, "immediate")),
    Kind("kill-everything", _kill_everything),
)
