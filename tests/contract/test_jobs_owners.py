"""A process that dies frees its jobs at once, and one that lives keeps them, whatever happens to its session."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.tables import jobs as jobs_table
from mlp.storage import schema
from mlp.storage.database import Database
from tests.contract.job_support import service, submit_echo, until

pytestmark = [pytest.mark.postgres]

#: Claims one job, says so, and waits for its death.
_OWNER = """
import sys
from mlp.config import Settings
from mlp.jobs.service import JobService
from mlp.storage.database import Database
jobs = JobService(Database(sys.argv[1]), Settings())
jobs.leases.start()
jobs.leases.claim(["test.echo"])
print(jobs.leases.worker_id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(postgres_database_url: str) -> Iterator[Database]:
    with closing(Database(postgres_database_url)) as database:
        schema.upgrade(database)
        # The server of these tests may have been started a moment ago, which the sweep would wait for.
        until(lambda: _has_run_for_a_while(database), 30)
        yield database


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with service(database) as jobs:
        yield jobs


def _has_run_for_a_while(database: Database) -> bool:
    with database.reading() as connection:
        query = sa.text("SELECT pg_postmaster_start_time() < now() - interval '5 s'")
        return bool(connection.execute(query).scalar_one())


def _start_owner(url: str) -> "subprocess.Popen[str]":
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert "/" in owner.stdout.readline()
    return owner


def test_death_of_a_process_frees_its_job_long_before_the_lease(jobs: JobService, postgres_database_url: str) -> None:
    job = submit_echo(jobs)
    owner = _start_owner(postgres_database_url)
    assert [jobs.recovery.recover_orphaned() for _ in range(3)] == [0, 0, 0]

    owner.kill()
    owner.communicate(timeout=30)

    until(lambda: jobs.recovery.recover_orphaned() == 1)
    found = jobs.get(job.id)
    assert (found.state, found.attempt) == (JobState.QUEUED, 1)


def test_owner_whose_session_is_ended_takes_its_lock_again(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    with service(database) as other:
        other.leases.start()
        (claim,) = other.leases.claim(["test.echo"])

        for _ in range(5):
            with database.transaction() as connection:
                connection.execute(
                    sa.text("""
                        SELECT pg_terminate_backend(pid) FROM pg_locks
                        WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
                            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """)
                )
            until(lambda: _has_lock(database))

        assert jobs.recovery.recover_orphaned() == 0
        assert jobs.recovery.recover_orphaned() == 0
        assert other.leases.finish(claim, JobState.SUCCEEDED, result=b"1") is not None


def _has_lock(database: Database) -> bool:
    with database.reading() as connection:
        query = sa.text("""
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """)
        return int(connection.execute(query).scalar_one()) == 1


def test_owner_without_a_lock_is_left_to_its_lease(jobs: JobService) -> None:
    submit_echo(jobs)
    jobs.leases.claim(["test.echo"])

    assert [jobs.recovery.recover_orphaned() for _ in range(3)] == [0, 0, 0]


def test_process_that_steps_back_frees_its_lock(jobs: JobService, database: Database) -> None:
    submit_echo(jobs)
    with service(database) as other:
        other.leases.start()
        other.leases.claim(["test.echo"])

    until(lambda: jobs.recovery.recover_orphaned() == 1)
    with database.reading() as connection:
        assert connection.execute(sa.select(jobs_table.c.state)).scalar_one() == "queued"
