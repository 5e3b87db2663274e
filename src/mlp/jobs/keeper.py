"""Keeps this process's attempts alive: leases made longer, progress written, word of cancelling passed on."""

import logging
import threading
from collections.abc import Callable, Sequence

from mlp.clock import monotonic
from mlp.errors import MLPError
from mlp.jobs.job import Job
from mlp.jobs.leases import Leases
from mlp.jobs.task import JobContext, StopReason
from mlp.periodic import Periodic, PeriodicThread

_log = logging.getLogger(__name__)

#: How often new progress is written; a person looks about as often.
_TICK_SECONDS_MAX = 1.0
#: How long an attempt may take to stop once its time is over.
_STOPPING_SECONDS = 5.0
_CLOSE_SECONDS = 10.0


class Keeper:
    """The contexts of the attempts under way, and the thread that looks after them.

    An attempt whose time is over is told to stop; what has not done so a few seconds later is given up by its owner.

    Args:
        on_overdue: Gives up attempts that do not stop, from the keeper's thread; called once for each.

    A lease is made longer when a third of it has passed: two renewals may fail before it is lost.
    """

    def __init__(self, leases: Leases, on_overdue: Callable[[Sequence[JobContext]], object]) -> None:
        self._leases = leases
        self._on_overdue = on_overdue
        self._lock = threading.Lock()
        self._contexts: dict[str, JobContext] = {}
        self._renewed_at = monotonic()
        tick_seconds = min(_TICK_SECONDS_MAX, leases.lease_seconds / 3)
        self._thread = PeriodicThread("mlp-job-keeper", [Periodic("job leases", tick_seconds, self.tick)])

    def start(self) -> None:
        """Begin to look after the attempts."""
        self._thread.start()

    def close(self) -> None:
        """Look after nothing any more."""
        self._thread.close(_CLOSE_SECONDS)

    def add(self, context: JobContext) -> None:
        """Look after an attempt."""
        with self._lock:
            self._contexts[context.claim.lease_token] = context

    def remove(self, context: JobContext) -> None:
        """Look after it no longer."""
        with self._lock:
            self._contexts.pop(context.claim.lease_token, None)

    def cancel(self, job: Job) -> None:
        """Tell the job's attempt in this process, if there is one, to stop."""
        self.cancel_id(job.id)

    def cancel_id(self, job_id: str) -> None:
        """As cancel(), for who knows the job's id alone."""
        for context in self.under_way():
            if context.job_id == job_id:
                context.stop(StopReason.CANCELLED)

    def stop_all(self) -> None:
        """Tell every attempt that its lease is gone."""
        for context in self.under_way():
            context.stop(StopReason.LEASE_LOST)

    def give_back_all(self) -> None:
        """Stop every attempt and queue its job again, uncounted: whoever takes it next begins at once."""
        self.stop_all()
        for context in self.under_way():
            try:
                self._leases.give_back(context.claim)
            except MLPError as error:
                _log.warning(
                    "a job could not be given back, its lease will end: %s",
                    error.message,
                    extra={"job_id": context.job_id},
                )

    def tick(self) -> None:
        """Renew what is due and write what is new."""
        if monotonic() - self._renewed_at >= self._leases.lease_seconds / 3:
            self._renew()
        for context in self.under_way():
            progress = context.take_new_progress()
            if progress is not None:
                self._leases.show_progress(context.claim, progress)
        self._stop_overdue()

    def _stop_overdue(self) -> None:
        overdue = [context for context in self.under_way() if context.overdue_seconds > 0]
        for context in overdue:
            context.stop(StopReason.TIMED_OUT)
        stuck = [context for context in overdue if context.overdue_seconds > _STOPPING_SECONDS]
        for context in stuck:
            _log.error(
                "an attempt at %s does not stop after its time of %g s and is given up",
                context.claim.kind,
                context.claim.seconds_max,
                extra={"job_id": context.job_id},
            )
            self.remove(context)
        if stuck:
            self._on_overdue(stuck)

    def _renew(self) -> None:
        # Read before the renewal: a lease counts from the moment of the statement at the latest.
        asked_at = monotonic()
        lost_tokens, cancelled_ids = self._leases.renew()
        self._renewed_at = asked_at
        for context in self.under_way():
            if context.claim.lease_token in lost_tokens:
                _log.warning("lease lost: another worker may have the job", extra={"job_id": context.job_id})
                context.stop(StopReason.LEASE_LOST)
            elif context.job_id in cancelled_ids:
                context.stop(StopReason.CANCELLED)

    def under_way(self) -> list[JobContext]:
        """The attempts that are looked after."""
        with self._lock:
            return list(self._contexts.values())
