"""Asking again: only where the server did nothing."""

import threading

import pytest

from mlp.demo.patience import ask_again
from mlp.errors import DeadlineExceeded, MLPError, SignatureMismatch, TooManyRequests, Unavailable


class Moody:
    """Raises the given errors, one a call, then answers."""

    def __init__(self, *errors: MLPError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_ask_again_repeats_what_was_not_carried_out() -> None:
    request = Moody(*[TooManyRequests("slow down", retry_after_seconds=0) for _ in range(3)])

    answer = ask_again(request, threading.Event())

    assert (answer, request.calls) == ("answer", 4)


@pytest.mark.parametrize(
    "error", [Unavailable("the connection broke"), DeadlineExceeded("no answer"), SignatureMismatch("no such input")]
)
def test_ask_again_repeats_nothing_that_may_have_been_carried_out(error: MLPError) -> None:
    request = Moody(error)

    with pytest.raises(type(error)):
        ask_again(request, threading.Event())

    assert request.calls == 1


def test_ask_again_gives_up_when_stopped() -> None:
    stopped = threading.Event()
    stopped.set()

    with pytest.raises(TooManyRequests):
        ask_again(Moody(TooManyRequests("slow down")), stopped)
