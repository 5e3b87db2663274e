"""Waiting for something that the server does in the background: one long request after the other."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from mlp.clock import monotonic
from mlp.errors import DeadlineExceeded

# One long poll; shorter than the minute after which proxies take a silent connection for dead.
_POLL_SECONDS_MAX = 30
_PAUSE_SECONDS = 0.1


class Awaited(Protocol):
    """What has a state and an end."""

    @property
    def state(self) -> str:
        """Where it is."""

    @property
    def is_finished(self) -> bool:
        """Whether it has ended."""


T = TypeVar("T", bound=Awaited)


def until_finished(show: Callable[[float], T], what: str, timeout_seconds: float) -> T:
    """The thing when it has finished; blocks until then.

    Args:
        show: The thing as it is, after having waited for its end for up to so many seconds.
        what: How a message names it, such as ``job 01a2``.

    Raises:
        mlp.errors.DeadlineExceeded: It did not finish within ``timeout_seconds``; it goes on, ask again.
    """
    deadline = monotonic() + timeout_seconds
    while True:
        remaining_seconds = max(0.0, deadline - monotonic())
        asked_at = monotonic()
        asked_seconds = min(_POLL_SECONDS_MAX, remaining_seconds)
        found = show(asked_seconds)
        if found.is_finished:
            return found
        if remaining_seconds == 0:
            raise DeadlineExceeded(
                f"{what} is {found.state} after {timeout_seconds:g} s; it goes on: wait for it again"
            )
        if monotonic() - asked_at < min(_PAUSE_SECONDS, asked_seconds):
            # The server came back at once, as one that is about to stop does.
            time.sleep(_PAUSE_SECONDS)
