"""The watchdog's decisions, over real rows and a real process; time is told by the signs."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlp.clock import monotonic, now
from mlp.config import Settings
from mlp.jobs.queues import Queues
from mlp.jobs.service import JobService
from mlp.jobs.tables import jobs as jobs_table
from mlp.storage import schema
from mlp.storage.database import Database, sqlite_url
from mlp.worker.vital_signs import Sign, VitalSigns
from mlp.worker.watchdog import EXIT_CODE, Watchdog

PID = 4242


class Signs(VitalSigns):
    """Signs of one process, as old as a test says."""

    def __init__(self, *, shown_seconds_ago: float = 0.0, looked_seconds_ago: float = 0.0, is_at_job: bool = False):
        super().__init__()
        self._sign = (shown_seconds_ago, looked_seconds_ago, is_at_job)

    def of(self, pid: int) -> Sign | None:
        shown, looked, is_at_job = self._sign
        return Sign(pid, monotonic() - shown, monotonic() - looked, is_at_job)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(sqlite_url(tmp_path))) as database:
        schema.upgrade(database)
        yield database


def ended_with(database: Database, signs: Signs, *, waited_seconds: float = 300, age_seconds: float = 300) -> list[int]:
    """With which codes the watchdog of a worker of that age ends it, while a job has waited for so long."""
    codes: list[int] = []
    settings = Settings()
    with closing(JobService(database, settings)) as jobs:
        jobs.submit("test.echo", None, b"{}")
    with database.transaction() as connection:
        long_ago = now() - timedelta(seconds=waited_seconds)
        connection.execute(sa.update(jobs_table).values(created_at=long_ago, available_at=long_ago))
    watchdog = Watchdog(Queues(database, settings), ["mlp.default"], signs, lambda: [PID], codes.append)
    watchdog._began_at -= age_seconds
    watchdog.end_if_idle()
    return codes


def test_worker_that_looks_for_nothing_while_jobs_wait_ends(database: Database) -> None:
    assert ended_with(database, Signs(looked_seconds_ago=300)) == [EXIT_CODE]


@pytest.mark.parametrize(
    ("signs", "waited_seconds", "age_seconds"),
    [
        (Signs(looked_seconds_ago=1), 300, 300),
        (Signs(looked_seconds_ago=300, is_at_job=True), 300, 300),
        (Signs(looked_seconds_ago=300), 5, 300),
        (Signs(looked_seconds_ago=300), 300, 5),
    ],
    ids=["it looks", "it is at a job", "nothing has waited for long", "it has just begun"],
)
def test_worker_goes_on(database: Database, signs: Signs, waited_seconds: float, age_seconds: float) -> None:
    assert ended_with(database, signs, waited_seconds=waited_seconds, age_seconds=age_seconds) == []


def test_worker_goes_on_while_its_queue_is_paused(database: Database) -> None:
    Queues(database, Settings()).pause("mlp.default", "maintenance")

    assert ended_with(database, Signs(looked_seconds_ago=300)) == []


if sys.platform != "win32":  # where workers are not forked

    @pytest.mark.parametrize(("shown_seconds_ago", "is_killed"), [(300.0, True), (1.0, False)])
    def test_process_that_shows_nothing_is_killed(
        database: Database, shown_seconds_ago: float, is_killed: bool
    ) -> None:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        signs = Signs(shown_seconds_ago=shown_seconds_ago)
        watchdog = Watchdog(Queues(database, Settings()), [], signs, lambda: [child.pid], lambda _code: None)

        watchdog.kill_stuck()
        child.communicate(b"\n", timeout=30)

        assert child.returncode == (-signal.SIGKILL if is_killed else 0)
