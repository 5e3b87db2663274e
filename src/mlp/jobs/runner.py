"""Runs one attempt at a job, from the claim to the written outcome; whatever brought the job here shares it."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlp.clock import monotonic
from mlp.errors import MLPError, Unavailable
from mlp.jobs import metrics
from mlp.jobs.claim_store import Wanted
from mlp.jobs.group_sizes import GroupSizes
from mlp.jobs.job import Claim, Ending, JobError
from mlp.jobs.keeper import Keeper
from mlp.jobs.leases import Leases
from mlp.jobs.retry import (
    BACKOFF_BASE_SECONDS,
    TIMED_OUT,
    Retry,
    backoff_seconds,
    describe,
    postponement_seconds,
    retry_after,
)
from mlp.jobs.states import JobState
from mlp.jobs.task import TASKS, JobContext, JobStopped, StopReason, TaskTable
from mlp.observability.logging import log_context

_log = logging.getLogger(__name__)

#: How long an outcome is kept for a database that is away. After that the work is done again by another attempt.
_WRITE_SECONDS_MAX = 120.0
_WRITE_PAUSE_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went; without a state nothing is written, since the job is not this attempt's any more."""

    state: JobState | None
    result: bytes | None = None
    error: JobError | None = None
    retry: Retry = Retry.NO

    @property
    def ends_job(self) -> bool:
        """Whether the job is over with it, and not queued again."""
        return self.state is not None and (self.error is None or self.retry is Retry.NO)


#: What follows when an attempt has let itself be stopped.
_STOPPED = {
    StopReason.CANCELLED: Outcome(JobState.CANCELLED),
    StopReason.LEASE_LOST: Outcome(None),
    StopReason.TIMED_OUT: Outcome(JobState.FAILED, error=TIMED_OUT, retry=Retry.COUNTED),
}


class Runner:
    """Runs claimed jobs; safe for use by several threads.

    Args:
        stack: What tasks reach as ``context.stack``; Any, since jobs know no stack.
        keeper: Keeps the leases of what runs; its thread is somebody else's to start.
        tasks: What can be run.
        seconds_max: How long an attempt may take of a task that names no limit of its own.
        backoff_base_seconds: The pause after a first failed attempt, about.
    """

    def __init__(
        self,
        stack: Any,
        leases: Leases,
        keeper: Keeper,
        tasks: TaskTable = TASKS,
        *,
        seconds_max: float = 3600.0,
        backoff_base_seconds: float = BACKOFF_BASE_SECONDS,
    ) -> None:
        self.tasks = tasks
        self._sizes = GroupSizes(tasks, seconds_max=seconds_max)
        self._stack = stack
        self._leases = leases
        self._keeper = keeper
        self._backoff_base_seconds = backoff_base_seconds
        self._closed = threading.Event()

    def run_next(self, *, queues: Sequence[str] | None = None, broker_queues: Sequence[str] | None = None) -> bool:
        """Whether there was anything to do: claims what is next in these queues and runs it to its outcomes."""
        claims = self.claim_next(queues=queues, broker_queues=broker_queues)
        if claims:
            self.run(claims)
        return bool(claims)

    def claim_next(
        self, *, queues: Sequence[str] | None = None, broker_queues: Sequence[str] | None = None
    ) -> list[Claim]:
        """What is next in these queues, claimed: for run()."""
        return self._leases.claim_group(Wanted(self.tasks.kinds, queues, broker_queues), self._sizes)

    def run(self, claims: Sequence[Claim]) -> None:
        """Run claimed jobs of one kind and model, write their outcomes; raises nothing that they are to blame for."""
        contexts = [JobContext(self._stack, claim) for claim in claims]
        first = claims[0]
        with log_context(job_id=first.id, model=first.model):
            for context in contexts:
                self._keeper.add(context)
            try:
                outcomes = self._attempt_timed(contexts)
                self._write_all(list(zip(contexts, outcomes, strict=True)))
            finally:
                for context in contexts:
                    self._keeper.remove(context)
                    self._leases.drop(context.claim)

    def close(self) -> None:
        """Wait for an absent database no longer."""
        self._closed.set()

    def _attempt_timed(self, contexts: Sequence[JobContext]) -> list[Outcome]:
        first = contexts[0].claim
        began = monotonic()
        try:
            return self._attempt(contexts)
        finally:
            seconds = monotonic() - began
            self._sizes.learn(first.kind, first.model, len(contexts), seconds)
            for _context in contexts:
                metrics.run_seconds.labels(first.kind).observe(seconds)

    def _attempt(self, contexts: Sequence[JobContext]) -> list[Outcome]:
        task = self.tasks.get(contexts[0].claim.kind)
        results: Sequence[bytes | BaseException]
        try:
            if len(contexts) > 1:
                results = task.run_together(contexts)
            else:
                results = [task.run(contexts[0], contexts[0].claim.payload)]
        except (Exception, SystemExit, JobStopped) as error:
            # SystemExit: own code that calls exit() ends its job, not the worker's thread.
            results = [error] * len(contexts)
        return [_outcome_of(context, result) for context, result in zip(contexts, results, strict=True)]

    def _write_all(self, written: Sequence[tuple[JobContext, Outcome]]) -> None:
        """Write the outcomes: what ends together is one transaction, what is queued again is one each."""
        endings = [_ending(context, outcome) for context, outcome in written if outcome.ends_job]
        if endings:
            self._patiently(partial(self._finish, endings))
        for context, outcome in written:
            if outcome.state is None:
                metrics.fenced.inc()
            elif not outcome.ends_job:
                self._patiently(partial(self._put_back, context.claim, outcome))

    def _patiently(self, write: Callable[[], object]) -> None:
        """Write, again and again while the database is away: the work is done and worth keeping."""
        give_up_at = monotonic() + _WRITE_SECONDS_MAX
        tries = 0
        while True:
            try:
                write()
                return
            except Unavailable as error:
                tries += 1
                if self._closed.is_set() or monotonic() > give_up_at:
                    _log.error("the outcome could not be written, another attempt will follow: %s", error.message)
                    return
                self._closed.wait(min(_WRITE_PAUSE_SECONDS_MAX, backoff_seconds(tries, random.random(), 0.2)))

    def _finish(self, endings: Sequence[Ending]) -> None:
        try:
            self._leases.finish_many(endings)
        except Unavailable:
            raise
        except Exception:
            if len(endings) > 1:
                # One of them is at fault: the others must not suffer.
                for ending in endings:
                    self._patiently(partial(self._finish, [ending]))
                return
            (ending,) = endings
            if ending.state is not JobState.SUCCEEDED:
                raise
            # What the database refuses (a result of more than 1 GB) it would refuse of every attempt.
            _log.exception("the result could not be stored")
            why = JobError("internal", "the result could not be stored: the server's log says why")
            self._leases.finish_many([Ending(ending.claim, JobState.FAILED, error=why, progress=ending.progress)])

    def _put_back(self, claim: Claim, outcome: Outcome) -> None:
        assert outcome.error is not None
        if outcome.retry is Retry.POSTPONED:
            pause_seconds = postponement_seconds(claim.wait_seconds, random.random(), self._backoff_base_seconds)
            self._leases.postpone(claim, outcome.error, pause_seconds)
        else:
            pause_seconds = backoff_seconds(claim.attempt, random.random(), self._backoff_base_seconds)
            self._leases.try_again(claim, outcome.error, pause_seconds)


def _outcome_of(context: JobContext, result: bytes | BaseException) -> Outcome:
    """How the attempt went that came to this result, or to this error."""
    claim = context.claim
    if isinstance(result, bytes):
        return Outcome(JobState.SUCCEEDED, result)
    if isinstance(result, JobStopped):
        return _STOPPED[result.reason]
    is_ours = isinstance(result, MLPError) and result.status != 500
    _log.warning("%s, attempt %d failed: %s", claim.kind, claim.attempt, result, exc_info=None if is_ours else result)
    retry = retry_after(result, claim.wait_seconds + context.running_seconds)
    return Outcome(JobState.FAILED, error=describe(result), retry=retry)


def _ending(context: JobContext, outcome: Outcome) -> Ending:
    assert outcome.state is not None
    return Ending(context.claim, outcome.state, outcome.result, outcome.error, context.latest_progress())
