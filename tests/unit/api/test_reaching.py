import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from mlp.api.reaching import NoAnswer, Trouble, asked_together, check_reached


@pytest.fixture
def listening() -> Iterator[int]:
    """A port on which connections are accepted."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_program_that_listens_is_reached(listening: int) -> None:
    check_reached("127.0.0.1", listening, 3.0)


def test_port_without_a_program_refuses(listening: int) -> None:
    with closing(socket.socket()) as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer, match="nothing listens there") as caught:
            check_reached("127.0.0.1", bound.getsockname()[1], 3.0)

    assert caught.value.trouble is Trouble.REFUSED


def test_name_that_nobody_knows_does_not_resolve() -> None:
    with pytest.raises(NoAnswer, match=r"the name rabbitmq\.invalid does not resolve") as caught:
        check_reached("rabbitmq.invalid", 5672, 3.0)

    assert caught.value.trouble is Trouble.UNRESOLVED


def test_answers_come_together_and_the_late_one_is_left() -> None:
    release = threading.Event()

    def refuse() -> str:
        raise NoAnswer(Trouble.PASSWORD, "wrong")

    def fail() -> str:
        raise ZeroDivisionError("a driver's")

    answers = asked_together(
        {"quick": lambda: "yes", "refused": refuse, "broken": fail, "late": lambda: str(release.wait(30))}, 0.3
    )
    release.set()

    refused, broken, late = answers["refused"], answers["broken"], answers["late"]
    assert answers["quick"] == "yes"
    assert isinstance(refused, NoAnswer)
    assert isinstance(broken, NoAnswer)
    assert isinstance(late, NoAnswer)
    assert (refused.trouble, broken.detail) == (Trouble.PASSWORD, "ZeroDivisionError: a driver's")
    assert (late.trouble, late.detail) == (Trouble.SILENT, "no answer within 0.3 s")
