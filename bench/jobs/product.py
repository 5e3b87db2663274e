"""The measured product: `mlp serve` and `mlp worker` as processes of their own, with a scikit-learn pipeline."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench.jobs.exchange import Exchange
from bench.jobs.load import KeptAnswer, LoadProcess, Order
from bench.jobs.servers import Servers
from bench.jobs.usage import ReadCPU, children_of, own_cpu_seconds, tree_cpu_seconds
from bench.startup import MLP, environment, free_port, write_model
from tests.servers import ServerProcess
from tests.workers import WorkerProcess

MODEL = "bench"
SUBMIT_PATH = f"/v1/models/{MODEL}/jobs"
WORKER_PROCESSES = 2
#: How often it is asked whether work is left: each look costs PostgreSQL some dozens of microseconds.
POLL_SECONDS = 0.02
_COMMAND_SECONDS = 300.0
_WARM_UP_JOBS = 200
_WARM_UP_SECONDS = 120.0
_EMPTY = "TRUNCATE jobs, job_payloads, job_results, job_webhooks, inferences CASCADE"
#: By the partial indexes on these states, which hold nothing of what has ended.
_IS_UNDER_WAY = """
    SELECT EXISTS (SELECT FROM jobs WHERE state = 'queued') OR EXISTS (SELECT FROM jobs WHERE state = 'running')
"""


class Product:
    """A data folder and a database with a registered model; running() starts the processes on them.

    Attributes:
        bodies_file: Bodies of a submitted job, one row each, one a line.
        labels: What the model says of each of them, asked without us.
    """

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.servers = servers
        self.folder = folder / "data"
        self.bodies_file = folder / "bodies.jsonl"
        self._log = folder / "worker.log"
        self._variables = environment(
            DATABASE_URL=servers.postgres.url("postgres"),
            CELERY_BROKER_URL=servers.rabbitmq.url.replace("amqp://", "pyamqp://", 1),
            CELERY_BACKEND_URL=servers.redis.url,
            MLP_QUEUE_TYPE="classic",  # Debian's RabbitMQ 3.10 has quorum queues without what ours ask of them
            MLP_WORKER_PROCESSES=str(WORKER_PROCESSES),
            MLP_LOG_LEVEL="warning",
        )
        model, rows = write_model(folder)
        self.rows, self.labels = write_bodies(model, self.bodies_file)
        self._command("db", "upgrade")
        self._command("models", "add", MODEL, model, "--example", rows)

    def _command(self, *words: str | Path) -> None:
        command = [MLP, *words, "--folder", self.folder]
        # Without the broker: the version's acceptance is a job, and no worker runs yet.
        variables = {**self._variables, "CELERY_BROKER_URL": ""}
        done = subprocess.run(
            command, env=variables, timeout=_COMMAND_SECONDS, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"mlp {words[0]} {words[1]} failed: {done.stdout}{done.stderr}")

    def empty(self) -> None:
        """Throw away jobs and recorded predictions, and have PostgreSQL write what it still has to."""
        with self.servers.sql() as connection:
            connection.execute(_EMPTY)
            connection.execute("CHECKPOINT")

    @contextmanager
    def running(self) -> Iterator["RunningProduct"]:
        """One server and one worker, warm: some jobs have gone through; ended on leaving."""
        server = ServerProcess(self.folder, **self._variables)
        try:
            server.wait_ready()
            worker = WorkerProcess(self.folder, self._log, free_port(), **self._variables)
            try:
                worker.wait_live()
                with closing(self.servers.sql()) as connection:
                    running = RunningProduct(self, server, worker, connection)
                    running.warm_up()
                    yield running
                worker.stop()
            finally:
                worker.kill()
            server.stop()
        finally:
            server.kill()


class RunningProduct:
    """The processes while they run.

    Attributes:
        port: Of the server.
    """

    def __init__(
        self, product: Product, server: ServerProcess, worker: WorkerProcess, connection: "psycopg.Connection[Any]"
    ) -> None:
        self.product = product
        self.server = server
        self.worker = worker
        self.port = int(server.url.rpartition(":")[2])
        self._connection = connection

    def warm_up(self) -> None:
        """Let some jobs through, so that every process has loaded the model and is connected."""
        self.load(Order(self.port, SUBMIT_PATH, 8, str(self.product.bodies_file), jobs=_WARM_UP_JOBS))
        self.wait_idle(_WARM_UP_SECONDS)

    def load(self, order: Order) -> None:
        """Send an order; what came of it is of no interest."""
        with LoadProcess(order) as client:
            client.run()

    def wait_idle(self, timeout_seconds: float) -> float:
        """The moment (time.monotonic()) when no job is queued or runs any more."""
        deadline = time.monotonic() + timeout_seconds
        while self.count(_IS_UNDER_WAY):
            if time.monotonic() > deadline:
                left = self.count("SELECT count(*) FROM jobs WHERE finished_at IS NULL")
                raise RuntimeError(f"{left} jobs are left after {timeout_seconds:g} s; {self.worker.trouble()}")
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def count(self, query: str) -> int:
        """The single value of a query."""
        row = self._connection.execute(query, prepare=True).fetchone()
        assert row is not None
        return int(row[0])

    def depth(self, at_most: int) -> int:
        """How many jobs are queued; counting stops at that many."""
        return self.count(f"SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'queued' LIMIT {at_most}) AS counted")

    def queue_state(self) -> str:
        """How many jobs are in each state."""
        rows = self._connection.execute("SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state").fetchall()
        return ", ".join(f"{count} {state}" for state, count in rows)

    def cpu_kinds(self) -> dict[str, ReadCPU]:
        """What reads the CPU time of each kind of process of this side, without the client."""
        servers = self.product.servers
        postgres_pid, worker_pid = servers.postgres_pid(), self.worker.process.pid
        return {
            "mlp serve": _tree(self.server.pid),
            "mlp worker, parent": lambda: own_cpu_seconds(worker_pid),
            "mlp worker, processes": lambda: tree_cpu_seconds(worker_pid) - own_cpu_seconds(worker_pid),
            "PostgreSQL": _tree(postgres_pid),
            "RabbitMQ": _tree(servers.rabbitmq_pid),
            "Redis": _tree(servers.redis_pid),
        }

    def worker_process_pids(self) -> list[int]:
        """The processes of the worker that run jobs."""
        return sorted(children_of(self.worker.process.pid))

    def check_results(self, accepted: int, kept: list[KeptAnswer]) -> None:
        """Return if every job has succeeded with one result, and the kept ones say over HTTP what the model says.

        Raises:
            RuntimeError: Something is missing or wrong; then the measured rate counts for nothing.
        """
        counts = {
            "succeeded jobs": self.count("SELECT count(*) FROM jobs WHERE state = 'succeeded'"),
            "results": self.count("SELECT count(*) FROM job_results"),
            "jobs": self.count("SELECT count(*) FROM jobs"),
        }
        wrong = {what: count for what, count in counts.items() if count != accepted + _WARM_UP_JOBS}
        if wrong:
            raise RuntimeError(f"{accepted} jobs and {_WARM_UP_JOBS} before them were accepted, but there are {wrong}")
        with Exchange(self.port) as exchange:
            for answer in kept:
                job = exchange.get_json(f"/v1/jobs/{answer.job_id}")
                label = job["result"]["predictions"][0]["label"] if job["state"] == "succeeded" else None
                if label != self.product.labels[answer.body_number]:
                    raise RuntimeError(f"the job {answer.job_id} has the wrong result: {job}")


def write_bodies(model: Path, bodies_file: Path) -> tuple[list[dict[str, float]], list[int]]:
    """Rows as they are asked and the labels that the model gives them; a body of each row is written to the file."""
    import joblib
    import pandas as pd
    from sklearn.datasets import load_breast_cancer

    features = load_breast_cancer().data
    frame = pd.DataFrame(features, columns=[f"x{number}" for number in range(features.shape[1])])
    rows: list[dict[str, float]] = frame.to_dict(orient="records")  # type: ignore[assignment]
    bodies_file.write_text("".join(json.dumps({"rows": [row]}) + "\n" for row in rows))
    return rows, [int(label) for label in joblib.load(model).predict(frame)]


def _tree(pid: int) -> ReadCPU:
    return lambda: tree_cpu_seconds(pid)
