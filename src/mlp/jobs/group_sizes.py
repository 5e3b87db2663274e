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
        self._job_seconds: dict[tuple[str, str | None], float] = {}

    def jobs_max(self, kind: str, model: str | None) -> int:
        """How many jobs of this kind and model to take: one of what was never done here."""
        job_seconds = self._job_seconds.get((kind, model))
        if job_seconds is None or not self._tasks.get(kind).runs_together:
            return 1
        return max(1, min(_JOBS_MAX, int(_GROUP_SECONDS / max(job_seconds, 1e-6))))

    def known(self) -> list[tuple[str, str, int]]:
        """Kind, model and jobs_max() of everything of which more than one job may be taken."""
        sizes = [(kind, model, self.jobs_max(kind, model)) for kind, model in list(self._job_seconds)]
        return [(kind, model, jobs) for kind, model, jobs in sizes if model is not None and jobs > 1]

    def seconds_max(self, kind: str) -> float:
        """How long an attempt of the kind may take."""
        own = self._tasks.get(kind).seconds_max
        return self._seconds_max if own is None else own

    def learn(self, kind: str, model: str | None, jobs: int, seconds: float) -> None:
        """Note how long a group of so many jobs took."""
        newest = seconds / jobs
        with self._lock:
            known = self._job_seconds.get((kind, model), newest)
            self._job_seconds[kind, model] = known + _NEWEST_WEIGHT * (newest - known)
