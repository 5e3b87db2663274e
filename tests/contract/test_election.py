"""One leader of many processes, by a real PostgreSQL; each election here has connections of its own."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from mlp.errors import Unavailable
from mlp.storage.database import Database, sqlite_url
from mlp.storage.election import Election
from tests.contract.job_support import together, until
from tests.postgres import PostgresServer

KEY = 12345
MakeElection = Callable[..., Election]


@pytest.fixture
def make_election(postgres_database_url: str) -> Iterator[MakeElection]:
    databases: list[Database] = []
    elections: list[Election] = []

    def make(on_change: Callable[[bool], None] = lambda _is_leader: None, key: int = KEY) -> Election:
        databases.append(Database(postgres_database_url, timeout_seconds=2))
        elections.append(Election(databases[-1], key, on_change))
        return elections[-1]

    yield make
    for election in elections:
        election.close()
    for database in databases:
        database.close()


def end_sessions(url: str) -> None:
    """What an administrator, or a failover, does: every session of the database ends."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()"
    )
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(query)


def who_leads(*elections: Election) -> list[bool]:
    return [election.is_leader() for election in elections]


@pytest.mark.postgres
def test_one_of_two_leads_and_goes_on_leading(make_election: MakeElection) -> None:
    first, second = make_election(), make_election()

    turns = [who_leads(first, second) for _ in range(3)]

    assert turns == [[True, False]] * 3


@pytest.mark.postgres
def test_one_of_many_that_ask_at_once_leads(make_election: MakeElection) -> None:
    elections = [make_election() for _ in range(6)]
    answers: list[bool] = []

    together(6, lambda number: answers.append(elections[number].is_leader()))

    assert sorted(answers) == [False] * 5 + [True]


@pytest.mark.postgres
def test_one_election_asked_by_many_threads_leads_for_all_of_them(make_election: MakeElection) -> None:
    election = make_election()
    answers: list[bool] = []

    together(6, lambda _number: answers.append(election.is_leader()))

    assert answers == [True] * 6


@pytest.mark.postgres
def test_elections_for_other_work_do_not_meet(make_election: MakeElection) -> None:
    assert who_leads(make_election(key=1), make_election(key=2)) == [True, True]


@pytest.mark.postgres
def test_leader_that_closes_hands_over(make_election: MakeElection) -> None:
    first, second = make_election(), make_election()
    assert who_leads(first, second) == [True, False]

    first.close()

    until(second.is_leader)
    assert who_leads(second, first) == [True, False]


@pytest.mark.postgres
def test_leader_whose_session_ends_is_followed_by_another(
    make_election: MakeElection, postgres_database_url: str
) -> None:
    first, second = make_election(), make_election()
    assert who_leads(first, second) == [True, False]

    end_sessions(postgres_database_url)

    until(second.is_leader)
    assert who_leads(first, second) == [False, True]


@pytest.mark.postgres
def test_leader_whose_session_ends_may_win_again(make_election: MakeElection, postgres_database_url: str) -> None:
    changes: list[bool] = []
    election = make_election(changes.append)
    assert election.is_leader()

    end_sessions(postgres_database_url)

    until(election.is_leader)
    assert changes in ([True], [True, False, True])


@pytest.mark.postgres
def test_changes_are_told_once_each(make_election: MakeElection, postgres_database_url: str) -> None:
    changes: list[bool] = []
    first, second = make_election(changes.append), make_election()
    for _ in range(3):
        first.is_leader()
    end_sessions(postgres_database_url)
    until(second.is_leader)

    for _ in range(3):
        first.is_leader()

    assert changes == [True, False]


@pytest.mark.postgres
def test_leader_that_loses_the_database_is_told_so(
    make_election: MakeElection, postgres_server: PostgresServer
) -> None:
    changes: list[bool] = []
    first, second = make_election(changes.append), make_election()
    assert first.is_leader()
    postgres_server.stop()
    try:
        answers = [_answer_or_none(first) for _ in range(2)]
    finally:
        postgres_server.start()

    assert True not in answers
    assert changes == [True, False]
    until(second.is_leader)
    assert who_leads(first, second) == [False, True]


@pytest.mark.postgres
def test_without_a_database_nobody_leads_and_afterwards_one_does(
    make_election: MakeElection, postgres_server: PostgresServer
) -> None:
    elections = [make_election(), make_election()]
    assert who_leads(*elections) == [True, False]
    postgres_server.stop()
    try:
        answers = [_answer_or_none(election) for election in elections]
    finally:
        postgres_server.start()

    assert True not in answers
    until(lambda: any(who_leads(*elections)))
    assert sorted(who_leads(*elections)) == [False, True]


def _answer_or_none(election: Election) -> bool | None:
    try:
        return election.is_leader()
    except Unavailable:
        return None


@pytest.mark.postgres
def test_work_of_the_leader_is_done_by_the_leader_alone(make_election: MakeElection) -> None:
    done: list[str] = []
    first, second = make_election(), make_election()
    works = [first.only_leader(lambda: done.append("first")), second.only_leader(lambda: done.append("second"))]

    for work in works * 2:
        work()

    assert done == ["first", "first"]


def test_process_on_sqlite_always_leads(tmp_path: Path) -> None:
    with closing(Database(sqlite_url(tmp_path / uuid.uuid4().hex))) as database:
        first, second = Election(database, KEY), Election(database, KEY)

        assert who_leads(first, second) == [True, True]
        first.close()
