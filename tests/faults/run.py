"""One run of the harness: a cluster, clients and observers on it, the nemesis, the drain, the verdict."""

import csv
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlp import Client as RegistryClient
from tests.faults.checker import Evidence, JobRow, Verdict, check
from tests.faults.clients import Client
from tests.faults.cluster import APIS, Cluster, ClusterPlan
from tests.faults.door import Door
from tests.faults.history import Fault, HistoryLog, read_executions, read_history
from tests.faults.ledger import FINAL, Ledger
from tests.faults.members import SLOW_STOP
from tests.faults.model import NAME, SLOW_NAME, write_model
from tests.faults.nemesis import Nemesis, Schedule
from tests.faults.observers import Follower, Observer, Poller, Rereader, Waiter, look

#: Files of a report's folder.
HISTORY, EXECUTIONS = "history.jsonl", "executions.txt"
_DRAIN_SECONDS_MAX = 180.0
_LOOK_SECONDS = 0.2
_READERS = 4
#: Some 200 a second are read.
_READ_JOBS_MAX = 10_000

#: For whoever asks why something took so long.
_COURSES = """
    SELECT idempotency_key, id, queue, priority, state, attempt, created_at, published_at, started_at, finished_at,
           worker_id, error::text
    FROM jobs ORDER BY id
"""
_ROWS = """
    SELECT jobs.id, idempotency_key, state, jobs.attempt, job_results.attempt, result
    FROM jobs LEFT JOIN job_results ON job_results.job_id = jobs.id WHERE kind = 'inference.predict'
"""


@dataclass(frozen=True)
class RunPlan:
    """What a run does.

    Attributes:
        rounds: How often each kind of fault is caused; 0: until the time is over.
        seconds: When the last fault begins at the latest; 0: no limit.
        jobs_per_second: At which clients submit, all together.
    """

    seed: int
    kinds: tuple[str, ...]
    rounds: int
    seconds: float
    cluster: ClusterPlan
    clients: int = 10
    jobs_per_second: float = 60.0


@dataclass(frozen=True)
class RunReport:
    """What came of a run."""

    plan: RunPlan
    verdict: Verdict
    nemesis: Nemesis
    seconds: float
    exits: dict[str, list[tuple[float, int]]]
    orphans: dict[str, list[int]]


def run(plan: RunPlan, folder: Path, say: Callable[[str], None]) -> RunReport:
    """Carry a run out; its history and its report's raw material go to the folder."""
    began = time.monotonic()
    log_path, executions_path = folder / HISTORY, folder / EXECUTIONS
    with ExitStack() as exits:
        cluster = exits.enter_context(Cluster(plan.cluster))
        exits.callback(_keep_logs, cluster, folder)
        log = HistoryLog(log_path)
        exits.callback(log.close)
        ledger = Ledger(log, f"run-{plan.seed}-{uuid.uuid4().hex[:6]}")
        _add_models(cluster, executions_path)
        say(f"cluster ready after {time.monotonic() - began:.1f} s; seed {plan.seed}, {len(plan.kinds)} kinds of fault")
        nemesis = Nemesis(cluster, ledger, say)
        exits.callback(nemesis.close)
        with _traffic(plan, cluster, ledger):
            _cause_faults(plan, nemesis, began)
        open_ids = _drain(cluster)
        say(f"drained; {len(open_ids)} jobs have not ended")
        _read_all(cluster, ledger)
        _keep_courses(cluster, folder)
        rows = [job_row(*row) for row in cluster.query(_ROWS)]
        members = cluster.members.values()
        verdict = check(Evidence(list(read_history(log_path)), rows, read_executions(executions_path), ledger.run))
        for member in members:
            for at, code in member.exits:
                # A server that starts while its database is away ends with a sentence, and is started again.
                if code == SLOW_STOP or not any(_is_during(fault, at) for fault in nemesis.faults):
                    verdict.add("no process ends by itself", member.name, f"exit code {code}")
            for pid in member.orphans:
                verdict.add("children die with their parent", member.name, f"process {pid} outlived it")
        return RunReport(
            plan,
            verdict,
            nemesis,
            time.monotonic() - began,
            {member.name: member.exits for member in members},
            {member.name: member.orphans for member in members},
        )


def job_row(
    job_id: str, key: str | None, state: str, attempt: int, result_attempt: int | None, result: bytes | None
) -> JobRow:
    """A row of the query above."""
    return JobRow(job_id, key, state, attempt, result_attempt, None if result is None else bytes(result))


def _is_during(fault: Fault, at: float) -> bool:
    return fault.began <= at <= fault.ended + fault.heal_seconds


def _keep_logs(cluster: Cluster, folder: Path) -> None:
    for path in cluster.folder.glob("*.log"):
        (folder / path.name).write_bytes(path.read_bytes())


def _keep_courses(cluster: Cluster, folder: Path) -> None:
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(cluster.query(_COURSES))


def _add_models(cluster: Cluster, executions_path: Path) -> None:
    executions_path.touch()
    executions_path.chmod(0o666)
    source = write_model(cluster.folder / "model", executions_path.absolute())
    registry = RegistryClient(cluster.direct_url(APIS[0]), timeout_seconds=60).models
    for name in (NAME, SLOW_NAME):
        registry.add(name, source)


@contextmanager
def _traffic(plan: RunPlan, cluster: Cluster, ledger: Ledger) -> Iterator[None]:
    """Clients and observers at work; on leaving, every request has its answer."""

    def make_door() -> Door:
        return Door({name: cluster.client_url(name) for name in APIS})

    def source(name: str) -> random.Random:
        return random.Random(f"{plan.seed}/{name}")

    pace_seconds = plan.clients / plan.jobs_per_second
    clients = [
        Client(ledger, make_door, source(f"client-{number}"), pace_seconds=pace_seconds)
        for number in range(plan.clients)
    ]
    kinds: list[type[Observer]] = [*[Waiter] * 4, *[Poller] * 2, *[Follower] * 4, Rereader]
    observers = [kind(ledger, make_door, source(f"{kind.way}-{number}")) for number, kind in enumerate(kinds)]
    try:
        for client in clients:
            client.start()
        for observer in observers:
            observer.start()
        yield
    finally:
        for client in clients:
            client.stop()
        for client in clients:
            client.join()
        for observer in observers:
            observer.close()


def _cause_faults(plan: RunPlan, nemesis: Nemesis, began: float) -> None:
    schedule = Schedule(plan.kinds, plan.seed)
    number = 0
    while plan.rounds == 0 or number < plan.rounds:
        for kind, source in schedule.round(number):
            if plan.seconds and time.monotonic() - began > plan.seconds:
                return
            nemesis.cause(kind, source)
        number += 1


def _drain(cluster: Cluster) -> list[str]:
    """Ids of jobs that have not ended when the time for that is over."""
    deadline = time.monotonic() + _DRAIN_SECONDS_MAX
    finals = ", ".join(f"'{state}'" for state in sorted(FINAL))
    while True:
        rows = cluster.query(f"SELECT id FROM jobs WHERE state NOT IN ({finals})")
        if not rows or time.monotonic() > deadline:
            return [row[0] for row in rows]
        time.sleep(_LOOK_SECONDS)


def _read_all(cluster: Cluster, ledger: Ledger) -> None:
    """Look at the jobs once more over HTTP, each at one of the servers; at some of them where they are many."""
    job_ids = [row[0] for row in cluster.query("SELECT id FROM jobs WHERE kind = 'inference.predict' ORDER BY id")]
    if len(job_ids) > _READ_JOBS_MAX:
        job_ids = random.Random(ledger.run).sample(job_ids, _READ_JOBS_MAX)

    def read(part: int) -> None:
        door = Door({name: cluster.direct_url(name) for name in APIS})
        for index in range(part, len(job_ids), _READERS):
            look(ledger, door, door.names[index % len(door.names)], job_ids[index], "drain")
        door.close()

    threads = [threading.Thread(target=read, args=(part,), daemon=True) for part in range(_READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
