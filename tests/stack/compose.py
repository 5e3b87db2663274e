"""The Compose stack of a test run: a copy of the project in a folder of its own, with the `.env` that users have."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.servers import until

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "mlp"
#: Word for word what users of the stack have, with DOMAIN=localhost.
ENVIRONMENT = """\
DOMAIN=localhost                          # sub-domains for Traefik
CELERY_BROKER_URL=pyamqp://rabbitmq/
CELERY_BACKEND_URL=redis://redis/
CELERY_QUEUE=                             # the queues a worker takes, comma-separated; empty: all that settings name
DATABASE_SCHEMA=mlpdb
DATABASE_USER=mlp
DATABASE_PASS=mlp
DATABASE_HOST=database
DATABASE_URL=postgresql://${DATABASE_USER}:${DATABASE_PASS}@${DATABASE_HOST}/${DATABASE_SCHEMA}
GRAFANA_ADMIN_PASS=grafana
"""
SERVICES = ("api", "worker", "redis", "database", "rabbitmq", "prometheus", "grafana", "traefik")
ONE_SHOTS = ("prepare", "migrate")


class Compose:
    """`docker compose` in a folder; every call is bounded, and what it printed is in its failure."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _copy_project(folder)
        (folder / ".env").write_text(ENVIRONMENT)

    def __call__(self, *words: str, timeout_seconds: float = 180, check: bool = True) -> str:
        """What `docker compose WORDS` printed."""
        return self.run("docker", "compose", *words, timeout_seconds=timeout_seconds, check=check)

    def run(self, *words: str, timeout_seconds: float = 180, check: bool = True, given: str | None = None) -> str:
        """What a command printed that ran in the stack's folder."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("MLP_")},
            input="" if given is None else given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-6000:]}"
        )
        return done.stdout

    def script(self, name: str, *words: str, timeout_seconds: float = 300, check: bool = True) -> str:
        """What a script of deploy/ printed."""
        return self.run("sh", f"deploy/{name}", *words, timeout_seconds=timeout_seconds, check=check)

    def inside(self, service: str, *words: str, timeout_seconds: float = 60, check: bool = True) -> str:
        """What a command printed that ran in a service's container."""
        return self("exec", "-T", service, *words, timeout_seconds=timeout_seconds, check=check)

    def query(self, sql: str) -> list[list[str]]:
        """The rows of a query, as the owner of the database sees them."""
        command = ("psql", "-U", "mlp", "-d", "mlpdb", "-AtF", "\t", "-c", sql)
        return [line.split("\t") for line in self.inside("database", *command).splitlines() if line]

    def states(self) -> list[dict[str, Any]]:
        """All containers, one-shots included."""
        printed = self("ps", "--all", "--format", "json")
        return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]

    def up(self, *words: str) -> float:
        """Start what is not there and wait until it is healthy; the seconds that took."""
        began = time.monotonic()
        self("up", "--detach", "--wait", "--wait-timeout", "180", *words, timeout_seconds=240)
        return time.monotonic() - began

    def is_well(self, service: str) -> bool:
        """Whether every container of a service runs and is healthy."""
        mine = [each for each in self.states() if each["Service"] == service]
        return bool(mine) and all(each["State"] == "running" and each["Health"] == "healthy" for each in mine)

    def wait_well(self, *services: str, timeout_seconds: float = 120) -> None:
        """Return when the services are healthy; for a stack that heals without a hand."""
        for service in services:
            until(lambda service=service: self.is_well(service), timeout_seconds, lambda: str(self.states()))  # type: ignore[misc]

    def wait_jobs_succeeded(self, job_ids: list[str], timeout_seconds: float = 90) -> None:
        """Return when every one of these jobs has succeeded: nothing that was accepted is lost."""
        listed = ",".join(f"'{job_id}'" for job_id in job_ids)
        states = f"SELECT state, count(*) FROM jobs WHERE id IN ({listed}) GROUP BY state"
        wanted = [["succeeded", str(len(job_ids))]]
        until(lambda: self.query(states) == wanted, timeout_seconds, lambda: f"{self.query(states)} of {wanted}")

    def down(self, *words: str) -> None:
        """Stop and remove the containers; with `--volumes` everything."""
        self("down", "--remove-orphans", *words, timeout_seconds=240)


def _copy_project(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
