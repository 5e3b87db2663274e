import threading
from contextlib import closing
from datetime import timedelta

import sqlalchemy as sa

from mlp.clock import now
from mlp.config import Settings
from mlp.jobs.leases import Leases
from mlp.jobs.notices import Notices
from mlp.jobs.recovery import Recovery
from mlp.jobs.service import JobService
from mlp.jobs.states import JobState
from mlp.jobs.sweeper import Sweeper
from mlp.jobs.tables import jobs as jobs_table
from mlp.jobs.waiters import Waiters
from mlp.storage.database import Database


def make(database: Database, waiters: Waiters, notices: Notices | None = None) -> Sweeper:
    told = Notices() if notices is None else notices
    recovery = Recovery(database, Leases(database, told, lease_seconds=15.0), told)
    return Sweeper(database, recovery, waiters, retention_seconds=60.0, is_alone=True)


def test_wake_finished_wakes_the_waiters_of_ended_jobs_alone(database: Database) -> None:
    waiters = Waiters()
    with closing(JobService(database, Settings())) as elsewhere:
        ended, queued = (elsewhere.submit("test.echo", None, b"{}") for _ in range(2))
        elsewhere.cancel(ended.id)

    with waiters.watching(ended.id) as first, waiters.watching(queued.id) as second:
        make(database, waiters).wake_finished()

        assert first.done()
        assert not second.done()


def test_started_sweeper_takes_up_dead_jobs(database: Database) -> None:
    with closing(JobService(database, Settings())) as elsewhere:
        job = elsewhere.submit("test.echo", None, b"{}")
        elsewhere.leases.claim(["test.echo"])
        with database.transaction() as connection:
            connection.execute(sa.update(jobs_table).values(lease_until=now() - timedelta(hours=1)))
        is_queued = threading.Event()
        notices = Notices()
        notices.on_queued(lambda _jobs: is_queued.set())
        sweeper = make(database, Waiters(), notices)

        sweeper.start()
        came = is_queued.wait(30)
        sweeper.close()

        assert came
        assert elsewhere.get(job.id).state is JobState.QUEUED


def test_purge_deletes_what_is_older_than_the_retention(database: Database) -> None:
    with closing(JobService(database, Settings())) as elsewhere:
        old, fresh = (elsewhere.submit("test.echo", None, b"{}") for _ in range(2))
        elsewhere.cancel(old.id)
        elsewhere.cancel(fresh.id)
        with database.transaction() as connection:
            hour_ago = now() - timedelta(hours=1)
            connection.execute(sa.update(jobs_table).where(jobs_table.c.id == old.id).values(finished_at=hour_ago))

        deleted = make(database, Waiters()).purge()

        assert deleted == 1
        assert [job.id for job in elsewhere.list_jobs()] == [fresh.id]
