"""Runs one attempt at a job, from the claim to the written outcome; whatever brought the job here shares it."""

import logging
import random
import threading
from dataclasses import dataclass
from typing import Any

from mlp.clock import monotonic
from mlp.errors import MLPError, Unavailable
from mlp.jobs import metrics
from mlp.jobs.job import Claim, JobError
from mlp.jobs.keeper import Keeper
from mlp.jobs.leases import Leases
from mlp.jobs.retry import (
    BACKOFF_BASE_SECONDS,
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


class Runner:
    """Runs claimed jobs; safe for use by several threads.

    Args:
        stack: What tasks reach as ``context.stack``; Any, since jobs know no stack.
        keeper: Keeps the leases of what runs; its thread is somebody else's to start.
        tasks: What can be run.
        backoff_base_seconds: The pause after a first failed attempt, about.
    """

    def __init__(
        self,
        stack: Any,
        leases: Leases,
        keeper: Keeper,
        tasks: TaskTable = TASKS,
        *,
        backoff_base_seconds: float = BACKOFF_BASE_SECONDS,
    ) -> None:
        self.tasks = tasks
        self._stack = stack
        self._leases = leases
        self._keeper = keeper
        self._backoff_base_seconds = backoff_base_seconds
        self._closed = threading.Event()

    def run_job(self, job_id: str) -> bool:
        """Whether there was anything to do: claims the job if it is queued and runs it to its outcome."""
        claims = self._leases.claim(self.tasks.kinds, job_id=job_id)
        for claim in claims:
            self.run(claim)
        return bool(claims)

    def run(self, claim: Claim) -> None:
        """Run a claimed job and write its outcome; raises nothing that the job is to blame for."""
        context = JobContext(self._stack, claim)
        with log_context(job_id=claim.id, model=claim.model):
            self._keeper.add(context)
            try:
                outcome = self._attempt(context)
                self._write_patiently(context, outcome)
            finally:
                self._keeper.remove(context)
                self._leases.drop(claim)

    def close(self) -> None:
        """Wait for an absent database no longer."""
        self._closed.set()

    def _attempt(self, context: JobContext) -> Outcome:
        claim = context.claim
        began = monotonic()
        try:
            return Outcome(JobState.SUCCEEDED, self.tasks.get(claim.kind).run(context, claim.payload))
        except JobStopped as stopped:
            return Outcome(JobState.CANCELLED if stopped.reason is StopReason.CANCELLED else None)
        except (Exception, SystemExit) as error:
            # SystemExit: own code that calls exit() ends its job, not the worker's thread.
            is_ours = isinstance(error, MLPError) and error.status != 500
            _log.warning("%s, attempt %d failed: %s", claim.kind, claim.attempt, error, exc_info=not is_ours)
            retry = retry_after(error, claim.wait_seconds + monotonic() - began)
            return Outcome(JobState.FAILED, error=describe(error), retry=retry)
        finally:
            metrics.run_seconds.labels(claim.kind).observe(monotonic() - began)

    def _write_patiently(self, context: JobContext, outcome: Outcome) -> None:
        """Write the outcome, again and again while the database is away: the work is done and worth keeping."""
        give_up_at = monotonic() + _WRITE_SECONDS_MAX
        tries = 0
        while True:
            try:
                return self._write(context, outcome)
            except Unavailable as error:
                tries += 1
                if self._closed.is_set() or monotonic() > give_up_at:
                    _log.error("the outcome could not be written, another attempt will follow: %s", error.message)
                    return
                self._closed.wait(min(_WRITE_PAUSE_SECONDS_MAX, backoff_seconds(tries, random.random(), 0.2)))
            except Exception as error:
                if outcome.state is not JobState.SUCCEEDED:
                    raise
                # What the database refuses (a result of more than 1 GB) it would refuse of every attempt.
                _log.exception("the result could not be stored")
                outcome = Outcome(
                    JobState.FAILED,
                    error=JobError("internal", f"the result could not be stored: {describe(error).detail}"),
                )

    def _write(self, context: JobContext, outcome: Outcome) -> None:
        claim = context.claim
        if outcome.state is None:
            metrics.fenced.inc()
        elif outcome.error is not None and outcome.retry is Retry.POSTPONED:
            pause_seconds = postponement_seconds(claim.wait_seconds, random.random(), self._backoff_base_seconds)
            self._leases.postpone(claim, outcome.error, pause_seconds)
        elif outcome.error is not None and outcome.retry is Retry.COUNTED:
            pause_seconds = backoff_seconds(claim.attempt, random.random(), self._backoff_base_seconds)
            self._leases.try_again(claim, outcome.error, pause_seconds)
        else:
            self._leases.finish(
                claim,
                outcome.state,
                result=outcome.result,
                error=outcome.error,
                progress=context.latest_progress(),
            )
