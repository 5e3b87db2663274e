"""What a process does besides answering: a laptop's server everything, one of the stack its part."""

import pytest

from mlp.config import Settings
from mlp.role import WORKER_CHILD, Role, role_of_server

LAPTOP = Settings()
STACK = Settings(broker_url="pyamqp://rabbitmq/")


def test_leader_of_a_laptop_does_everything_but_publish() -> None:
    role = role_of_server(LAPTOP, is_leader=True)

    assert role == Role(
        migrates=True, owns_folder=True, runs_jobs=True, sweeps_jobs=True, keeps_house=True, watches=True
    )


def test_further_process_of_a_laptop_leaves_what_must_be_done_once_to_the_leader() -> None:
    assert role_of_server(LAPTOP, is_leader=False) == Role(runs_jobs=True, sweeps_jobs=True)


@pytest.mark.parametrize("is_leader", [True, False])
def test_server_with_a_broker_publishes_and_leaves_jobs_and_house_to_workers(is_leader: bool) -> None:
    role = role_of_server(STACK, is_leader=is_leader)

    assert role == Role(publishes_jobs=True, sweeps_jobs=True, watches=is_leader)


def test_empty_address_of_the_broker_is_none() -> None:
    settings = Settings(broker_url="")  # Compose hands on empty variables

    assert role_of_server(settings, is_leader=True) == role_of_server(LAPTOP, is_leader=True)


def test_process_of_a_worker_does_nothing_unasked() -> None:
    assert Role() == WORKER_CHILD
