"""``mlp jobs cancel`` and ``retry`` of many jobs at once: those that a filter names, after a question."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from mlp.cli.confirmation import is_confirmed
from mlp.cli.output import count
from mlp.cli.session import Session
from mlp.errors import Conflict, UnknownJob

if TYPE_CHECKING:
    from mlp.client import Client
    from mlp.client.results import Job, JobState


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant; None: any."""

    model: str | None
    state: "JobState"
    kind: str | None
    since: str | None

    def __str__(self) -> str:
        parts = [
            f"{self.state} jobs",
            "" if self.kind is None else f"of kind {self.kind}",
            "" if self.model is None else f"of model {self.model}",
            "" if self.since is None else f"since {self.since}",
        ]
        return " ".join(part for part in parts if part)


def do_to_all(
    session: Session, wanted: JobFilter, verb: str, done: str, act: "Callable[[Client, Job], Job]", *, is_sure: bool
) -> None:
    """Does something to every job that the filter names, the oldest first, and prints how many there were.

    A job that has moved on in the meantime is passed over and counted.

    Raises:
        BadInput: Nobody is there to be asked.
    """
    with session.client() as client:
        jobs = client.jobs.list(
            model=wanted.model, state=wanted.state, kind=wanted.kind, since=wanted.since, limit=None
        )
        if jobs and not is_sure and not is_confirmed(f"{verb} {count(len(jobs))} {wanted}?"):
            raise typer.Exit(1)
        results: list[Job] = []
        with session.output.progress(f"{verb.lower()} jobs") as report:
            for index, job in enumerate(reversed(jobs), 1):
                try:
                    results.append(act(client, job))
                except (Conflict, UnknownJob):
                    pass  # it began, ended or was deleted since it was listed
                report(index, len(jobs), "")
    passed_over = len(jobs) - len(results)
    if session.output.is_json:
        session.output.json({"jobs": [job.id for job in results], "passed_over": passed_over})
        return
    session.output.line(f"{done} {count(len(results))} {wanted}")
    if passed_over:
        session.output.note(f"{count(passed_over)} had moved on and were passed over")


def check_one_or_many(job_id: str | None, filters: dict[str, str | None]) -> None:
    """Returns if a command names either one job or a filter.

    Raises:
        typer.BadParameter: It names neither, or both.
    """
    given = [name for name, value in filters.items() if value is not None]
    if job_id is None and not given:
        raise typer.BadParameter("name a job by its id, or many by --model, --state, --kind or --since")
    if job_id is not None and given:
        raise typer.BadParameter(f"a job and --{given[0]} at once: name one job, or many by a filter")
