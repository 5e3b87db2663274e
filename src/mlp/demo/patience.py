"""Asks a server again that has said "not now": so much traffic from one machine is no reason for the demo to fail."""

import threading
from collections.abc import Callable
from typing import TypeVar

from mlp import clock
from mlp.errors import DatabaseUnavailable, ModelNotReady, RecordingUnavailable, TooManyRequests, Unavailable

T = TypeVar("T")

# Of the answers that mean "later" those after which the request was surely not carried out, so that asking again
# cannot record a flight twice.
_NOTHING_DONE = (TooManyRequests, ModelNotReady, RecordingUnavailable, DatabaseUnavailable)
_PATIENCE_SECONDS = 30.0


def ask_again(request: Callable[[], T], is_stopped: threading.Event) -> T:
    """The answer of a request, asked again for up to 30 s while the server says that it cannot at the moment.

    Raises:
        mlp.errors.MLPError: What the server said at last.
    """
    deadline = clock.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return request()
        except Unavailable as error:
            if not isinstance(error, _NOTHING_DONE) or clock.monotonic() > deadline or is_stopped.is_set():
                raise
            is_stopped.wait(error.retry_after_seconds)
