"""Threads of this process that claim jobs and run them: the queue of laptop mode, without a broker."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

from mlp.clock import monotonic
from mlp.errors import Unavailable
from mlp.jobs import metrics
from mlp.jobs.job import Job
from mlp.jobs.keeper import Keeper
from mlp.jobs.leases import Leases
from mlp.jobs.notices import Notices
from mlp.jobs.retry import BACKOFF_BASE_SECONDS, TIMED_OUT
from mlp.jobs.runner import Runner
from mlp.jobs.task import TASKS, JobContext, TaskTable

_log = logging.getLogger(__name__)
_COMPLAIN_EVERY_SECONDS = 10.0


class LocalWorker:
    """Runs jobs in ``threads`` threads from start() to close().

    Idle threads are woken when a job is accepted in this process, and look for work every ``poll_seconds`` unasked,
    which finds what other processes accepted and what waited for another attempt. Several workers may share a process.

    Args:
        stack: What tasks reach as ``context.stack``.
        queues: Which queues it takes; None: all.
        seconds_max: How long an attempt may take; then its thread is left to itself, and another takes its place.
        backoff_base_seconds: The pause after a first failed attempt, about.
    """

    def __init__(
        self,
        stack: Any,
        leases: Leases,
        notices: Notices,
        *,
        threads: int,
        poll_seconds: float,
        queues: Sequence[str] | None = None,
        tasks: TaskTable = TASKS,
        seconds_max: float = 3600.0,
        backoff_base_seconds: float = BACKOFF_BASE_SECONDS,
    ) -> None:
        self._leases = leases
        self._keeper = Keeper(leases, self._give_up)
        self._runner = Runner(
            stack,
            leases,
            self._keeper,
            tasks,
            seconds_max=seconds_max,
            backoff_base_seconds=backoff_base_seconds,
        )
        self._poll_seconds = poll_seconds
        self._queues = queues
        self._is_closing = False
        self._complained_at: float | None = None
        self._news = threading.Condition()
        self._news_count = 0
        self._left: set[threading.Thread] = set()
        self._threads = [self._new_thread(number) for number in range(1, threads + 1)]
        notices.on_queued(self._wake)
        notices.on_cancelling(self._keeper.cancel)

    def start(self) -> None:
        """Begin to run jobs."""
        self._keeper.start()
        for thread in self._threads:
            thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Claim nothing more, wait that long for what runs, give the rest back uncounted; a second close does nothing.

        A task cannot be stopped from outside: what was given back runs on until the process ends, and whatever it
        still wants to write is refused.
        """
        deadline = monotonic() + timeout_seconds
        with self._news:
            self._is_closing = True
            self._news.notify_all()
        for thread in self._threads:
            if thread.ident is not None and thread not in self._left:
                thread.join(max(0.0, deadline - monotonic()))
        self._runner.close()
        self._keeper.give_back_all()
        self._keeper.close()

    def _new_thread(self, number: int) -> threading.Thread:
        return threading.Thread(target=self._work, name=f"mlp-job-worker-{number}", daemon=True)

    def _give_up(self, contexts: Sequence[JobContext]) -> None:
        """A thread cannot be ended from outside: it is left to itself, writes nothing more, and another begins."""
        self._leases.give_up([context.claim for context in contexts], TIMED_OUT)
        for thread in {context.thread for context in contexts} - self._left:
            self._left.add(thread)
            successor = self._new_thread(len(self._threads) + 1)
            self._threads.append(successor)
            successor.start()

    def _wake(self, jobs: Sequence[Job]) -> None:
        with self._news:
            self._news_count += 1
            self._news.notify(len(jobs))

    def _work(self) -> None:
        while not self._is_closing and threading.current_thread() not in self._left:
            seen = self._news_count
            try:
                has_worked = self._runner.run_next(queues=self._queues)
            except Unavailable as error:
                has_worked = False
                self._complain(error)
            except Exception:
                has_worked = False
                metrics.failures.labels("mlp-job-worker").inc()
                _log.exception("a worker's thread failed and goes on")
            if not has_worked:
                self._wait_for_news(seen)

    def _complain(self, error: Unavailable) -> None:
        """Log that no jobs can be claimed, now and then: several threads try it every second."""
        metrics.failures.labels("mlp-job-worker").inc()
        if self._complained_at is None or monotonic() - self._complained_at > _COMPLAIN_EVERY_SECONDS:
            self._complained_at = monotonic()
            _log.warning("no jobs can be claimed: %s", error.message)

    def _wait_for_news(self, seen: int) -> None:
        """Return after ``poll_seconds``, or at once if jobs were accepted since ``seen``, or when closing."""
        with self._news:
            if self._news_count == seen and not self._is_closing:
                self._news.wait(self._poll_seconds)
