"""Word that something was committed: jobs accepted, a job ended, a job should stop.

A notice may be lost and may come twice: it wakes somebody earlier, and everybody looks at the rows unasked as well.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from mlp.jobs import metrics
from mlp.jobs.job import Job

_log = logging.getLogger(__name__)
_Told = TypeVar("_Told")


class Notices:
    """Who wants to know, in this process; what carries notices to other processes listens here too.

    A listener is called by the thread that committed, after the commit: it must be quick, and what it raises is logged.
    """

    def __init__(self) -> None:
        self._of_queued: list[Callable[[Sequence[Job]], None]] = []
        self._of_finished: list[Callable[[Sequence[Job]], None]] = []
        self._of_cancelling: list[Callable[[Job], None]] = []

    def on_queued(self, listener: Callable[[Sequence[Job]], None]) -> None:
        """Call when jobs have been accepted or put back."""
        self._of_queued.append(listener)

    def on_finished(self, listener: Callable[[Sequence[Job]], None]) -> None:
        """Call when jobs have reached a final state; they come with their results."""
        self._of_finished.append(listener)

    def on_cancelling(self, listener: Callable[[Job], None]) -> None:
        """Call when a running job should stop."""
        self._of_cancelling.append(listener)

    def queued(self, jobs: Sequence[Job]) -> None:
        """Tell that these jobs wait for a worker."""
        if jobs:
            _tell(self._of_queued, jobs)

    def finished(self, jobs: Sequence[Job]) -> None:
        """Tell that these jobs have ended."""
        if jobs:
            _tell(self._of_finished, jobs)

    def cancelling(self, job: Job) -> None:
        """Tell that this running job should stop."""
        _tell(self._of_cancelling, job)


def _tell(listeners: Sequence[Callable[[_Told], None]], told: _Told) -> None:
    for listener in listeners:
        try:
            listener(told)
        except Exception:
            # The commit has happened: what follows it must not fail because somebody could not be woken.
            metrics.failures.labels("notices").inc()
            _log.exception("a listener to jobs failed")
