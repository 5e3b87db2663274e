"""Celery's side of the comparison: its worker, its publishers, and Redis full of its results."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from bench.jobs.load import ROOT
from bench.jobs.product import POLL_SECONDS, WORKER_PROCESSES
from bench.jobs.servers import Servers
from bench.jobs.usage import CPUMeter, CPUUse, ReadCPU, own_cpu_seconds, tree_cpu_seconds
from bench.startup import environment

_STOP_SECONDS = 60.0
_ROUND_SECONDS = 600.0


@dataclass(frozen=True)
class CeleryRound:
    """What came of one round.

    Attributes:
        seconds: From the first submit to the last result that can be read.
        submit_seconds: From the first submit to the last one.
    """

    seconds: float
    submit_seconds: float
    cpu: CPUUse


class Competitor:
    """A plain Celery application on the same RabbitMQ, with Redis as its result back end."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self._servers = servers
        self._redis = Redis.from_url(servers.redis.url)
        self._log = folder / "celery.log"
        self._variables = environment(BENCH_BROKER_URL=servers.rabbitmq.url, BENCH_RESULT_URL=servers.redis.url)

    def measure(self, tasks: int, publishers: int) -> CeleryRound:
        """Submit and run that many empty tasks; the worker is started before and ended after."""
        self._redis.flushall()
        with ExitStack() as opened:
            worker = opened.enter_context(self._worker())
            shares = [tasks // publishers + (number < tasks % publishers) for number in range(publishers)]
            processes = [opened.enter_context(self._publisher(share)) for share in shares]
            self._redis.flushdb()  # the publishers' first results
            meter = CPUMeter(self._cpu_kinds(worker, processes))
            meter.start()
            for process in processes:
                _say_go(process)
            ended_at = self._wait_for_results(tasks, worker)
            cpu = meter.stop()
            reports = [_read_report(process) for process in processes]
            self._check_results(tasks, [task_id for _, _, ids in reports for task_id in ids])
        began_at = min(began for began, _, _ in reports)
        return CeleryRound(ended_at - began_at, max(end for _, end, _ in reports) - began_at, cpu)

    @contextmanager
    def _worker(self) -> Iterator["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-m", "celery", "-A", "bench.jobs.celery_app", "worker"]
        command += ["--concurrency", str(WORKER_PROCESSES), "--loglevel", "WARNING"]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self._variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    @contextmanager
    def _publisher(self, tasks: int) -> Iterator["subprocess.Popen[str]"]:
        command = [sys.executable, "-m", "bench.jobs.celery_publisher", str(tasks)]
        with subprocess.Popen(
            command, cwd=ROOT, env=self._variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                if process.stdout.readline() != "ready\n":
                    raise RuntimeError(f"a publisher could not start; the worker said {self._log.read_text()[-2000:]}")
                yield process
            finally:
                process.kill()

    def _wait_for_results(self, tasks: int, worker: "subprocess.Popen[bytes]") -> float:
        deadline = time.monotonic() + _ROUND_SECONDS
        while self._redis.dbsize() < tasks:
            if time.monotonic() > deadline or worker.poll() is not None:
                raise RuntimeError(f"Celery's results do not come; the worker said {self._log.read_text()[-2000:]}")
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def _check_results(self, tasks: int, sample_ids: list[str]) -> None:
        keys = sum(1 for _ in self._redis.scan_iter("celery-task-meta-*", count=1000))
        if keys != tasks:
            raise RuntimeError(f"{tasks} tasks were submitted, and {keys} results are in Redis")
        for task_id in sample_ids:
            found = self._redis.get(f"celery-task-meta-{task_id}")
            if not isinstance(found, bytes) or json.loads(found)["status"] != "SUCCESS":
                raise RuntimeError(f"the result of the task {task_id} is {found!r}")

    def _cpu_kinds(
        self, worker: "subprocess.Popen[bytes]", publishers: list["subprocess.Popen[str]"]
    ) -> dict[str, ReadCPU]:
        servers = self._servers
        return {
            "Celery's publishers": lambda: sum(tree_cpu_seconds(process.pid) for process in publishers),
            "Celery worker, parent": lambda: own_cpu_seconds(worker.pid),
            "Celery worker, processes": lambda: tree_cpu_seconds(worker.pid) - own_cpu_seconds(worker.pid),
            "RabbitMQ": lambda: tree_cpu_seconds(servers.rabbitmq_pid),
            "Redis": lambda: tree_cpu_seconds(servers.redis_pid),
        }


def _say_go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _read_report(process: "subprocess.Popen[str]") -> tuple[float, float, list[str]]:
    """When a publisher began and ended, and the ids of some of its tasks."""
    assert process.stdout is not None
    began_at, ended_at, *task_ids = process.stdout.readline().split()
    return float(began_at), float(ended_at), task_ids
