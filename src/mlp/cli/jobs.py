"""``mlp jobs``: queued predictions, and all other work that the server does in the background."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mlp.cli.arguments import (
    AtOption,
    DelimiterOption,
    FormatOption,
    IgnoreExtraOption,
    KeyOption,
    MissingOption,
    ModelArgument,
    RowsArgument,
)
from mlp.cli.many_jobs import JobFilter, check_one_or_many, do_to_all
from mlp.cli.output import Column, Output, compact_json, count, moment, number, span
from mlp.cli.session import Session
from mlp.clock import now
from mlp.errors import DeadlineExceeded

if TYPE_CHECKING:
    from mlp.client import Client
    from mlp.client.results import Job, JobState, JobWebhook

#: Of a result this much is shown in the text form: a prediction or two.
RESULT_CHARACTERS_SHOWN = 400

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job.", show_default=False)]
WaitOption = Annotated[
    float,
    typer.Option("--wait", min=0, metavar="SECONDS", help="Seconds to wait for its end at most.", show_default=False),
]


OneJobArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="The job; or many, by the options.", show_default=False)
]
OfModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Only of this model.", show_default=False)
]
OfKindOption = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help="Only of this kind, such as registry.accept.", show_default=False),
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only made since then: 2026-03-01T12:00:00Z.", show_default=False),
]
SureOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Priority(StrEnum):
    """Which of the queued jobs come first."""

    HIGH = "high"
    DEFAULT = "default"
    LOW = "low"


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WaitingState(StrEnum):
    """Where a job is that can be cancelled."""

    QUEUED = "queued"
    RUNNING = "running"


class EndedState(StrEnum):
    """Where a job is that can be done again."""

    FAILED = "failed"
    CANCELLED = "cancelled"


def submit(
    session: Session,
    name: ModelArgument,
    file: RowsArgument,
    key: KeyOption = None,
    at: AtOption = None,
    priority: Annotated[Priority | None, typer.Option(help="Before or after others.", show_default=False)] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Submitted twice with it, still one job.", show_default=False)
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Called by the server at the job's end.", show_default=False)
    ] = None,
    expires_seconds: Annotated[
        float | None,
        typer.Option("--expires", metavar="SECONDS", help="Fail it if it has not begun by then.", show_default=False),
    ] = None,
    row_format: FormatOption = None,
    delimiter: DelimiterOption = None,
    missing: MissingOption = None,
    ignore_extra: IgnoreExtraOption = False,
    wait_seconds: WaitOption = 0,
) -> None:
    """Queue the prediction of a file's rows as one job.

    Once its id is printed the job is written down, and is carried out whatever happens to the server.
    """
    from mlp.cli.request_rows import RequestReader, errors_in_the_file
    from mlp.cli.row_files import opened

    with opened(file, row_format, delimiter) as rows, session.client() as client:
        reader = RequestReader(rows, key)
        if reader.needs_signature:
            reader.fit(client.models.signature(name), is_extra_ignored=ignore_extra, missing=missing or ())
        chunk = list(rows.rows)
        values, keys = reader.read(chunk)
        with errors_in_the_file(rows, chunk):
            job = client.jobs.submit(
                name,
                values,
                keys=keys,
                at=at,
                priority=None if priority is None else priority.value,
                idempotency_key=idempotency_key,
                webhook=webhook,
                expires_seconds=expires_seconds,
            )
        if wait_seconds > 0:
            job = _after_wait(session.output, client, job.id, wait_seconds)
    _print_job(session.output, job, was_awaited=wait_seconds > 0)
    if not job.is_finished and not session.has_server:
        session.output.note("No server runs on the folder: the job is carried out when one does, mlp serve")


def list_jobs(
    session: Session,
    model: OfModelOption = None,
    state: Annotated[State | None, typer.Option(help="Only in this state.", show_default=False)] = None,
    kind: OfKindOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="At most so many.", min=1)] = 50,
) -> None:
    """List jobs, the newest first."""
    with session.client() as client:
        state_text: JobState | None = None if state is None else state.value
        jobs = client.jobs.list(model=model, state=state_text, kind=kind, since=since, limit=limit)
    if session.output.is_json:
        session.output.json({"jobs": jobs})
        return
    if jobs:
        print_jobs(session.output, jobs)
    else:
        session.output.note("There are no such jobs")


def print_jobs(output: Output, jobs: Sequence["Job"]) -> None:
    """One line for each job; with ids of 36 characters there is room for an age, not for a date."""
    rows = []
    for job in jobs:
        age_seconds = max(0.0, (now() - job.created_at).total_seconds())
        what = job.kind if job.model is None else f"{job.kind} {job.model}"
        rows.append((job.id, what, job.state, " ".join(span(age_seconds).split()[:2])))
    output.table([Column("id"), Column("work", is_folded=True), Column("state"), number("age")], rows)


def show(
    session: Session,
    job_id: JobArgument,
    wait_seconds: WaitOption = 0,
    is_followed: Annotated[
        bool, typer.Option("--follow", help="Print a line at each change, until it has ended.")
    ] = False,
) -> None:
    """Show a job: its state, its progress, its result or its error."""
    if is_followed and wait_seconds > 0:
        raise typer.BadParameter("--follow waits for the end: leave --wait out")
    with session.client() as client:
        if is_followed:
            job = _followed(session.output, client, job_id)
        elif wait_seconds > 0:
            job = _after_wait(session.output, client, job_id, wait_seconds)
        else:
            job = client.jobs.show(job_id)
    _print_job(session.output, job, was_awaited=is_followed or wait_seconds > 0)


def _followed(output: Output, client: "Client", job_id: str) -> "Job":
    """The job once it has ended; each change before that is told on standard error."""
    job = None
    for job in client.jobs.events(job_id):
        if not job.is_finished:
            output.note(f"{job.state} {_progress_text(job)}".strip())
    assert job is not None  # the stream ends with the job's end, or raises
    return job


def cancel(
    session: Session,
    job_id: OneJobArgument = None,
    model: OfModelOption = None,
    state: Annotated[
        WaitingState | None, typer.Option(help="Only in this state; queued, unless said.", show_default=False)
    ] = None,
    kind: OfKindOption = None,
    since: SinceOption = None,
    is_sure: SureOption = False,
) -> None:
    """Cancel a job that has not ended, or many.

    One that runs is asked to stop. Before many are cancelled it asks.
    """
    check_one_or_many(job_id, {"model": model, "state": state, "kind": kind, "since": since})
    if job_id is None:
        wanted = JobFilter(model, (state or WaitingState.QUEUED).value, kind, since)
        do_to_all(
            session, wanted, "Cancel", "cancelled", lambda client, job: client.jobs.cancel(job.id), is_sure=is_sure
        )
        return
    with session.client() as client:
        job = client.jobs.cancel(job_id)
    _print_job(session.output, job)


def retry(
    session: Session,
    job_id: OneJobArgument = None,
    model: OfModelOption = None,
    state: Annotated[
        EndedState | None, typer.Option(help="Only in this state; failed, unless said.", show_default=False)
    ] = None,
    kind: OfKindOption = None,
    since: SinceOption = None,
    is_sure: SureOption = False,
    wait_seconds: WaitOption = 0,
) -> None:
    """Do failed or cancelled jobs again, as new ones.

    Before many are it asks; each of them is done again once, however often the command is run.
    """
    check_one_or_many(job_id, {"model": model, "state": state, "kind": kind, "since": since})
    if job_id is None:
        if wait_seconds > 0:
            raise typer.BadParameter("--wait is for one job")
        wanted = JobFilter(model, (state or EndedState.FAILED).value, kind, since)
        do_to_all(session, wanted, "Retry", "retried", _retry_once, is_sure=is_sure)
        return
    with session.client() as client:
        job = client.jobs.retry(job_id)
        if wait_seconds > 0:
            job = _after_wait(session.output, client, job.id, wait_seconds)
    _print_job(session.output, job, was_awaited=wait_seconds > 0)


def _retry_once(client: "Client", job: "Job") -> "Job":
    return client.jobs.retry(job.id, idempotency_key=f"retry/{job.id}")


def _after_wait(output: Output, client: "Client", job_id: str, wait_seconds: float) -> "Job":
    """The job once it has ended, or as it is after so many seconds."""
    with output.progress(f"waiting for job {job_id}"):
        try:
            return client.jobs.wait(job_id, wait_seconds)
        except DeadlineExceeded:
            return client.jobs.show(job_id)


def _print_job(output: Output, job: "Job", *, was_awaited: bool = False) -> None:
    """Prints a job; a failure is the exit code of a command that has waited for it."""
    if output.is_json:
        output.json(job)
    else:
        output.facts(_facts(job))
    if was_awaited and job.state == "failed":
        raise typer.Exit(1)


def _facts(job: "Job") -> list[tuple[str, str]]:
    facts = [
        ("job", job.id),
        ("kind", job.kind),
        ("model", job.model or "-"),
        ("state", job.state),
        ("attempt", str(job.attempt)),
        ("created", moment(job.created_at)),
        ("started", moment(job.started_at)),
        ("finished", moment(job.finished_at)),
    ]
    if job.started_at is not None and job.finished_at is not None:
        facts.append(("took", span((job.finished_at - job.started_at).total_seconds())))
    if job.progress is not None:
        facts.append(("progress", _progress_text(job)))
    if job.error is not None:
        facts.append(("error", job.error.detail))
    if job.result is not None:
        facts.append(("result", _shortened(compact_json(job.result))))
    if job.webhook is not None:
        facts.append(("webhook", _webhook_text(job.webhook)))
    return facts


def _progress_text(job: "Job") -> str:
    if job.progress is None:
        return ""
    total = "" if job.progress.total is None else f" of {count(job.progress.total)}"
    return f"{count(job.progress.done)}{total} {job.progress.message}".strip()


def _webhook_text(webhook: "JobWebhook") -> str:
    why = "" if webhook.last_error is None else f": {webhook.last_error}"
    calls = "1 call" if webhook.attempt == 1 else f"{count(webhook.attempt)} calls"
    return f"{webhook.state} after {calls} of {webhook.url}{why}"


def _shortened(text: str) -> str:
    return text if len(text) <= RESULT_CHARACTERS_SHOWN else f"{text[:RESULT_CHARACTERS_SHOWN]}… (all of it: --json)"
