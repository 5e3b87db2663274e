"""Celery's worker with another meaning of SIGTERM: begin nothing more, wait for what runs, but not for ever.

Celery's own either waits without end, or (soft shutdown, 5.7) sleeps its whole time inside the signal's handler, in
which it hears neither its processes nor RabbitMQ.
"""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


def stopping_worker(app: Any) -> Callable[..., Any]:
    """The class of a worker of this application; it takes ``on_stop``, which its first SIGTERM or SIGINT calls."""
    from celery.worker import state

    class StoppingWorker(app.Worker):  # type: ignore[misc]  # made by the application, as Celery's own is
        def __init__(self, *, on_stop: Callable[[], None], **options: Any) -> None:
            self._on_stop = on_stop
            super().__init__(**options)

        def install_platform_tweaks(self, worker: Any) -> None:
            super().install_platform_tweaks(worker)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)

        def _stop(self, _number: int, _frame: FrameType | None) -> None:
            if state.should_stop is None:
                state.should_stop = 0  # the exit code; Celery's loop sees it at its next turn and closes in order
                self._on_stop()

    return StoppingWorker
