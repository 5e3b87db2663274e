"""Jobs that were submitted together, as their submitter may know and end them; SQL, like a store.

The one place where other domains touch the tables of jobs.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from mlp.jobs import statements
from mlp.jobs.job import Job
from mlp.jobs.rows import JOB_COLUMNS, job_of
from mlp.jobs.states import JobState
from mlp.jobs.tables import jobs

#: Every job as others may join it: ``job_id``, ``state``, ``finished_at`` (None while it is under way), ``error``.
JOB_STATES = sa.select(
    jobs.c.id.label("job_id"), jobs.c.state.label("state"), jobs.c.finished_at.label("finished_at"), jobs.c.error
).subquery("job_states")


def cancel_queued(connection: sa.Connection, job_ids: Sequence[str]) -> list[Job]:
    """Those of the jobs that were queued, cancelled; after the commit ``Leases.tell_finished`` is the caller's part.

    Args:
        job_ids: A thousand at most, which is one statement.
    """
    statement = sa.update(jobs).where(jobs.c.id.in_(job_ids), statements.QUEUED)
    statement = statement.values(state=JobState.CANCELLED.value, finished_at=statements.moment_in(connection))
    return [job_of(row) for row in connection.execute(statement.returning(*JOB_COLUMNS))]
