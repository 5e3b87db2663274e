"""Pytest plug-in: a stack of real processes without containers: PostgreSQL, RabbitMQ, Redis, a server, workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.rabbitmq import RabbitMQServer
from tests.redis import RedisServer
from tests.servers import START_SECONDS, STOP_SECONDS, Serve, ServerProcess, until


class WorkerProcess:
    """One ``mlp worker``; started on making, ended by stop() or kill()."""

    def __init__(self, folder: Path, log: Path, port: int, **environment: str) -> None:
        self.log = log
        self.url = f"http://127.0.0.1:{port}"
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlp", "worker", "--folder", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "MLP_LOG_FORMAT": "json", "MLP_WORKER_PORT": str(port), **environment},
                start_new_session=True,
            )

    def wait_live(self) -> "WorkerProcess":
        """This worker, when its processes are there and it hears RabbitMQ."""
        until(self._is_connected, START_SECONDS, self.trouble)
        return self

    def report(self) -> dict[str, Any]:
        """What it says of itself; empty where it does not answer."""
        try:
            answer = urllib3.request("GET", f"{self.url}/health/live", timeout=5, retries=False)
            return dict(answer.json())
        except (urllib3.exceptions.HTTPError, ValueError):
            return {}

    def metrics(self) -> str:
        """Its metrics."""
        return urllib3.request("GET", f"{self.url}/metrics", timeout=5, retries=False).data.decode()

    def _is_connected(self) -> bool:
        assert self.process.poll() is None, self.trouble()
        return bool(self.report().get("is_connected"))

    def trouble(self) -> str:
        """Why it is not what it should be."""
        return f"exit code {self.process.poll()}, log:\n{self.log.read_text(errors='replace')[-6000:]}"

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS + 30)

    def kill(self) -> None:
        """End it and its processes as a power cut would."""
        if sys.platform != "win32" and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


class StackOfProcesses:
    """A server on PostgreSQL, RabbitMQ and Redis, and as many workers as a test starts.

    Attributes:
        variables: What every process of it finds in its environment.
    """

    def __init__(self, serve: Serve, folder: Path, variables: dict[str, str]) -> None:
        self.variables = variables
        self.folder = folder / "data"
        self._workers: list[WorkerProcess] = []
        self._log = folder / "worker.log"
        migrate = [sys.executable, "-m", "mlp", "db", "upgrade", "--folder", str(self.folder)]
        subprocess.run(migrate, env={**os.environ, **variables}, check=True, timeout=60, stdout=subprocess.DEVNULL)
        self.server: ServerProcess = serve(**variables)

    def start_worker(self, *, is_waiting: bool = True, **environment: str) -> WorkerProcess:
        """A further worker."""
        port = 20000 + os.getpid() % 10000 + len(self._workers) * 7 + int(time.monotonic() * 10) % 997
        worker = WorkerProcess(self.folder, self._log, port, **{**self.variables, **environment})
        self._workers.append(worker)
        return worker.wait_live() if is_waiting else worker

    def trouble(self) -> str:
        """What the workers said."""
        return "\n".join(worker.trouble() for worker in self._workers[-1:])

    def close(self) -> None:
        """End every worker."""
        for worker in self._workers:
            worker.kill()


@pytest.fixture
def stack_variables(
    postgres_database_url: str, rabbitmq_server: RabbitMQServer, redis_server: RedisServer
) -> dict[str, str]:
    """What every process of the stack finds in its environment; a test module may add to it."""
    return {
        "DATABASE_URL": postgres_database_url,
        "CELERY_BROKER_URL": rabbitmq_server.url.replace("amqp://", "pyamqp://", 1),
        "CELERY_BACKEND_URL": redis_server.url,
        "MLP_QUEUE_TYPE": "classic",
    }


@pytest.fixture
def stack_of_processes(serve: Serve, tmp_path: Path, stack_variables: dict[str, str]) -> Iterator[StackOfProcesses]:
    """The stack with its server ready and no worker yet."""
    stack = StackOfProcesses(serve, tmp_path, stack_variables)
    yield stack
    stack.close()
