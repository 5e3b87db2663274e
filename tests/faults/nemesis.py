"""Causes faults one after the other by a seeded schedule, heals each, and measures how soon a job passes again."""

import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults import faults_network, faults_points, faults_processes, faults_servers
from tests.faults.cluster import APIS, Cluster
from tests.faults.door import Door
from tests.faults.history import Fault
from tests.faults.ledger import FINAL, Ledger
from tests.faults.observers import look
from tests.faults.plans import FaultPlan, Kind
from tests.faults.submissions import Submission, urgent_request

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (*faults_processes.KINDS, *faults_network.KINDS, *faults_servers.KINDS, *faults_points.KINDS)
}

_PROBE_SECONDS_MAX = 60.0
_AGAIN_SECONDS = 0.02
_CALM_SECONDS = (0.5, 2.0)
_PROBE_WAIT_SECONDS = 2


@dataclass(frozen=True)
class Schedule:
    """Which faults, in which order; the same for the same seed."""

    kinds: Sequence[str]
    seed: int

    def round(self, number: int) -> list[tuple[Kind, random.Random]]:
        """The faults of a round, each with a source of chance of its own, so that a fault can be repeated alone."""
        names = list(self.kinds)
        random.Random(f"{self.seed}/{number}").shuffle(names)
        return [(KINDS[name], random.Random(f"{self.seed}/{number}/{name}")) for name in names]


class Nemesis:
    """Causes faults in a cluster; each is written down when it is over."""

    def __init__(self, cluster: Cluster, ledger: Ledger, say: Callable[[str], None]) -> None:
        self._cluster, self._ledger, self._say = cluster, ledger, say
        self._door = Door({name: cluster.direct_url(name) for name in APIS})
        self.faults: list[Fault] = []

    def close(self) -> None:
        """Let go of its connections."""
        self._door.close()

    def cause(self, kind: Kind, source: random.Random) -> Fault:
        """The fault, caused, healed and measured."""
        time.sleep(source.uniform(*_CALM_SECONDS))
        calm_seconds = self._probe()
        plan = kind.make(self._cluster, source)
        began = time.monotonic()
        trouble, ended, away = self._hurt(plan)
        unwell = self._cluster.wait_healthy()
        healed = time.monotonic()
        if unwell:
            trouble = f"{trouble}; still unwell: {', '.join(unwell)}".removeprefix("; ")
        probe_seconds = self._probe()
        fault = Fault(
            number=len(self.faults) + 1,
            kind=kind.name,
            target=plan.target,
            began=began,
            ended=ended,
            heal_seconds=round(healed - ended, 3),
            probe_seconds=round(probe_seconds, 3),
            probe_seconds_max=plan.probe_seconds_max,
            accepted=self._ledger.accepted,
            trouble=trouble,
            load=_load(),
            calm_seconds=round(calm_seconds, 3),
            database_away=away,
        )
        self.faults.append(fault)
        self._ledger.log.write(fault)
        self._say(shown(fault))
        return fault

    def _hurt(self, plan: FaultPlan) -> tuple[str, float, tuple[float, float] | None]:
        """What went wrong in causing and undoing it, when undoing began, and when the database was away."""
        trouble, away = "", None
        try:
            plan.begin()
            since = time.monotonic()
            time.sleep(plan.hold_seconds)
            if plan.takes_database_away:
                away = (since, time.monotonic())
        except Exception as error:  # the run goes on and tells of it: a long one must not end for one fault
            trouble = f"{type(error).__name__}: {error}"
        ended = time.monotonic()
        try:
            plan.end()
        except Exception as error:  # as above
            trouble = f"{trouble}; not undone, {type(error).__name__}: {error}".removeprefix("; ")
        return trouble, ended, away

    def _probe(self) -> float:
        """Seconds until a new job's result was read, without those for writing it down; negative: it never was."""
        began = time.monotonic()
        submission = Submission(self._ledger, self._door, urgent_request(self._ledger))
        server = self._door.names[submission.request.numbers[0] % len(APIS)]
        job_ids: list[str] = []
        while time.monotonic() < began + _PROBE_SECONDS_MAX:
            if not job_ids:
                _status, job_ids = submission.attempt(server)
                self._ledger.note_accepted(job_ids)
            elif look(self._ledger, self._door, server, job_ids[0], "wait", _PROBE_WAIT_SECONDS) in FINAL:
                return time.monotonic() - began - submission.log_seconds
            time.sleep(_AGAIN_SECONDS)
        return -1.0


def _load() -> float:
    """Of the last minute; 0 where the system does not say."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0


def shown(fault: Fault) -> str:
    """A fault as one line."""
    is_late = fault.probe_seconds < 0 or fault.probe_seconds > fault.probe_seconds_max
    mark = "LATE" if is_late else "ok  "
    return (
        f"{fault.number:4d}  {fault.kind:<32} {mark} held {fault.ended - fault.began:5.1f} s  "
        f"healed {fault.heal_seconds:5.1f} s  probe {fault.probe_seconds:6.2f} s (before {fault.calm_seconds:.2f})  "
        f"accepted {fault.accepted:7d}  {fault.target}{'  ! ' + fault.trouble if fault.trouble else ''}"
    )
