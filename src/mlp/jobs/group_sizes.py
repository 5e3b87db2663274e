"""How many jobs a worker takes at once: as many as it does in a moment, so that others find work too.

Learned for each kind and model from the groups that ran: jobs of milliseconds come by the dozen, jobs of seconds
one by one. A group costs one claim, one call of the model and one COMMIT, however many jobs are in it.
"""

import threading

from mlp.jobs.task import TaskTable

#: A group shall last about so long: two orders above what its claim and its COMMIT cost, and still nobody's wait.
_GROUP_SECONDS = 0.05
_JOBS_MAX = 64
#: Weight of the newest group: a model's first call loads it, and must be forgotten soon.
_NEWEST_WEIGHT = 0.5


class GroupSizes:
    """The allowance of one worker's claims; safe for use by several threads.

    Args:
        seconds_max: How long an attempt may take of a task that names no limit of its own.
    """

    def __init__(self, tasks: TaskTable, *, seconds_max: float) -> None:
        self._tasks = tasks
        self._seconds_max = seconds_max
        self._lock = threading.Lock()
        self._job_seconds: dict[tuple[str, str], float] = {}

    def jobs_max(self) -> dict[tuple[str, str], int]:
        """By kind and model how many jobs to take together, where it is more than one; one of what was never done."""
        with self._lock:
            known = list(self._job_seconds.items())
        sizes = {place: int(_GROUP_SECONDS / max(seconds, 1e-6)) for place, seconds in known}
        return {place: min(_JOBS_MAX, jobs) for place, jobs in sizes.items() if jobs > 1}

    def seconds_max(self, kind: str) -> float:
        """How long an attempt of the kind may take."""
        own = self._tasks.get(kind).seconds_max
        return self._seconds_max if own is None else own

    def learn(self, kind: str, model: str | None, jobs: int, seconds: float) -> None:
        """Note how long a group of so many jobs took; of jobs that only come alone nothing is noted."""
        if model is None or not self._tasks.get(kind).runs_together:
            return
        newest = seconds / jobs
        with self._lock:
            known = self._job_seconds.get((kind, model), newest)
            self._job_seconds[kind, model] = known + _NEWEST_WEIGHT * (newest - known)
