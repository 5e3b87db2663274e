import pytest

from mlp.errors import TooManyRequests
from mlp.jobs import store
from mlp.jobs.admission import Admission
from mlp.jobs.job import NewJob
from mlp.storage.database import Database


def test_check_counts_the_rows_first_and_then_adds_up(database: Database) -> None:
    admission = Admission(queued_max=4)
    with database.transaction() as connection:
        store.insert_jobs(connection, [NewJob("test.echo", None, b"{}") for _ in range(2)], 3)
        admission.check(connection, 2)
        admission.note_accepted(1)

        admission.check(connection, 1)
        with pytest.raises(TooManyRequests, match="3 jobs are queued, and the setting jobs_queued_max is 4"):
            admission.check(connection, 2)
