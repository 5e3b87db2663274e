"""Large results are files and look like any other, on both databases and by every way of reading them."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlp.clock import now
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.tables import job_results
from mlp.jobs.tables import jobs as jobs_table
from mlp.storage.database import Database
from mlp.storage.result_files import ResultFiles
from tests.contract.job_support import claim_one, settings, submit_echo

LARGE = b'"%s"' % (b"x" * 5000)


@pytest.fixture
def jobs(database: Database, tmp_path: Path) -> Iterator[JobService]:
    files = ResultFiles(tmp_path / "results", inline_bytes_max=1000)
    with closing(JobService(database, settings(), files)) as jobs:
        yield jobs


def test_large_result_is_a_file_and_read_like_any_other(jobs: JobService, database: Database, tmp_path: Path) -> None:
    job = submit_echo(jobs, idempotency_key="k")
    finished = jobs.leases.finish(claim_one(jobs), JobState.SUCCEEDED, result=LARGE)

    assert finished is not None
    assert [finished.result, jobs.get(job.id).result, submit_echo(jobs, idempotency_key="k").result] == [LARGE] * 3
    with database.reading() as connection:
        row = connection.execute(sa.select(job_results)).one()
    assert (row.result, len(row.digest)) == (b"", 64)
    assert [path.read_bytes() for path in tmp_path.glob("results/*/*")] == [LARGE]


def test_file_goes_with_its_job(jobs: JobService, database: Database, tmp_path: Path) -> None:
    submit_echo(jobs)
    jobs.leases.finish(claim_one(jobs), JobState.SUCCEEDED, result=LARGE)
    for path in tmp_path.glob("results/*/*"):
        os.utime(path, (0, 0))
    kept = jobs.large_results.delete_old()
    with database.transaction() as connection:
        connection.execute(sa.update(jobs_table).values(finished_at=now().replace(year=2020)))

    purged = jobs.purge()

    assert (kept, purged, jobs.large_results.delete_old()) == (0, 1, 1)
    assert list(tmp_path.glob("results/*/*")) == []
