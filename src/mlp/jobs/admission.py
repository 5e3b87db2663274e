"""How many jobs may wait: refuses new ones before a queue that nobody works off fills the database."""

import sqlalchemy as sa

from mlp.clock import monotonic
from mlp.errors import TooManyRequests
from mlp.jobs import store

#: A count is good for so long; in between, what this process accepted is added. Other processes and workers change
#: the truth meanwhile, which is why the limit is a guard and no exact promise.
_COUNT_SECONDS = 10.0
#: A full queue is counted again after this, so that it opens soon after workers have made room.
_FULL_COUNT_SECONDS = 1.0


class Admission:
    """The limit on queued jobs, with a count that is taken from the rows now and then."""

    def __init__(self, queued_max: int) -> None:
        self._queued_max = queued_max
        self._queued = 0
        self._counted_at: float | None = None

    def check(self, connection: sa.Connection, wanted: int) -> None:
        """Return if so many more jobs may be accepted.

        Raises:
            TooManyRequests: The queue is full.
        """
        if self._is_count_due(wanted):
            self._queued = store.count_queued(connection, self._queued_max + 1)
            self._counted_at = monotonic()
        if self._queued + wanted > self._queued_max:
            raise TooManyRequests(
                f"{self._queued} jobs are queued, and the setting jobs_queued_max is {self._queued_max}: try later",
                retry_after_seconds=5,
            )

    def note_accepted(self, count: int) -> None:
        """Count what was accepted since."""
        self._queued += count

    def _is_count_due(self, wanted: int) -> bool:
        if self._counted_at is None:
            return True
        age_seconds = monotonic() - self._counted_at
        is_full = self._queued + wanted > self._queued_max
        return age_seconds > (_FULL_COUNT_SECONDS if is_full else _COUNT_SECONDS)
