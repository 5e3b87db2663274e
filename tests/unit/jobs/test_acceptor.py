import threading
from concurrent.futures import Future

import pytest
from sqlalchemy import event

from mlp.errors import DatabaseUnavailable, Unavailable
from mlp.jobs.acceptor import Acceptor
from mlp.jobs.admission import Admission
from mlp.jobs.job import Job, NewJob
from mlp.jobs.notices import Notices
from mlp.storage.database import Database


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
def acceptor(database: Database, notices: Notices) -> Acceptor:
    return Acceptor(database, notices, Admission(1000), attempts_max=3, read_result=lambda job: job)


def new_job() -> NewJob:
    return NewJob("test.echo", None, b"{}")


def test_offers_that_wait_share_one_commit(acceptor: Acceptor, database: Database) -> None:
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)
    with database.transaction():  # nobody else can write: the offers gather
        answers = [acceptor.offer(new_job()) for _ in range(50)]
        commits.clear()

    for answer in answers:
        answer.result(10)
    acceptor.close()

    # The transaction above, the offer that the thread had begun with, and all the others.
    assert len(commits) <= 3


def test_workers_are_told_after_the_commit(acceptor: Acceptor, notices: Notices) -> None:
    told: list[Job] = []
    notices.on_queued(told.extend)

    accepted = acceptor.offer(new_job()).result(10)
    acceptor.close()

    assert told == [accepted]


def test_offer_that_was_withdrawn_in_time_is_not_written(acceptor: Acceptor, database: Database) -> None:
    with database.transaction():
        acceptor.offer(new_job())
        withdrawn: Future[Job] = acceptor.offer(new_job())
        # The thread may have taken both offers already: then there is nothing to withdraw.
        is_withdrawn = withdrawn.cancel()
    acceptor.close()

    with database.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar()
    assert count == (1 if is_withdrawn else 2)


def test_close_accepts_what_was_offered_and_nothing_more(acceptor: Acceptor) -> None:
    answers = [acceptor.offer(new_job()) for _ in range(10)]

    acceptor.close()
    acceptor.close()

    assert all(answer.done() and answer.exception() is None for answer in answers)
    with pytest.raises(Unavailable, match="stopping"):
        acceptor.offer(new_job())
    assert "mlp-job-acceptor" not in {thread.name for thread in threading.enumerate()}


def test_database_that_is_away_is_told_with_the_jobs_id(database: Database, notices: Notices) -> None:
    impatient = Database(str(database.url), timeout_seconds=0.01)
    acceptor = Acceptor(impatient, notices, Admission(1000), attempts_max=3, read_result=lambda job: job)
    offered = new_job()

    with database.transaction():
        refusal = acceptor.offer(offered).exception(10)
    acceptor.close()
    impatient.close()

    assert isinstance(refusal, DatabaseUnavailable)
    assert refusal.extra == {"job_id": offered.id}
