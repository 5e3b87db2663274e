"""A database with the tables of jobs, and a job service on it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mlp.config import Settings
from mlp.jobs.service import JobService
from mlp.jobs.tables import job_payloads, job_results, job_webhooks, queue_pauses, workers
from mlp.jobs.tables import jobs as jobs_table
from mlp.storage.database import METADATA, Database, sqlite_url


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(sqlite_url(tmp_path))) as database:
        METADATA.create_all(
            database.engine, tables=[jobs_table, job_payloads, job_results, job_webhooks, workers, queue_pauses]
        )
        yield database


@pytest.fixture
def jobs(database: Database) -> Iterator[JobService]:
    with closing(JobService(database, Settings())) as jobs:
        yield jobs
