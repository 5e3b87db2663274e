"""What one process of the product does besides answering: a laptop's server does everything, a worker's child little.

Of several processes that share a database some work must be done once, or by a process of the right kind.
"""

from dataclasses import dataclass

from mlp.config import Settings


@dataclass(frozen=True, slots=True)
class Role:
    """What a process does.

    Attributes:
        migrates: Brings the schema up to date at its start; else it only checks it.
        owns_folder: Whatever is unfinished in the data folder was left by a dead process.
        runs_jobs: Has threads that run jobs.
        publishes_jobs: Wakes workers by messages, and repeats those that did not get through.
        sweeps_jobs: Takes up jobs of dead workers, wakes waiters, deletes old jobs.
        keeps_house: Deletes what is due by age.
        watches: Counts jobs and workers, and tries the parts around it.
    """

    migrates: bool = False
    owns_folder: bool = False
    runs_jobs: bool = False
    publishes_jobs: bool = False
    sweeps_jobs: bool = False
    keeps_house: bool = False
    watches: bool = False


#: A process of a worker: it runs the job it is told to run, and another process of the stack does the rest.
WORKER_CHILD = Role()


def role_of_server(settings: Settings, *, is_leader: bool) -> Role:
    """What a process of ``mlp serve`` does.

    Args:
        is_leader: Of several processes of one server, the one that does what must be done once.
    """
    if settings.has_broker:
        # The schema is brought up to date before any of the replicas starts, and workers run jobs and keep house.
        return Role(publishes_jobs=True, sweeps_jobs=True, watches=is_leader)
    return Role(
        migrates=is_leader,
        owns_folder=is_leader,
        runs_jobs=True,
        sweeps_jobs=True,
        keeps_house=is_leader,
        watches=is_leader,
    )
