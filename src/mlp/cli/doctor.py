"""``mlp doctor``: what is there, what is wrong, and the command that mends it."""

from typing import TYPE_CHECKING

import typer

from mlp.cli.output import Column, number
from mlp.cli.session import Session

if TYPE_CHECKING:
    from mlp.cli.checks import Finding
    from mlp.client.examination import Examination

_WHAT_TO_DO = "What to do, the most urgent first:"


def doctor(session: Session) -> None:
    """Find out what is wrong, and what mends it.

    Looks at this installation, the data folder and its server, and changes nothing. Every artefact is read, which
    takes a while where there are many. In the stack, docker compose exec api mlp doctor looks at every container
    instead. The exit code is 1 if something is broken.
    """
    from mlp.cli.checks import examine
    from mlp.cli.examinations import find_examination, findings_of
    from mlp.client.examination import Status

    with session.output.progress("examining"):
        examination = find_examination(session.settings)
        is_stack = examination is not None and examination.is_stack
        findings = [] if is_stack else [*examine(session.settings), *findings_of(examination)]
    if examination is not None and is_stack:
        is_healthy = examination.is_healthy
        _show_stack(session, examination)
    else:
        is_healthy = all(finding.status is not Status.FAILED for finding in findings)
        _show_findings(session, findings, is_healthy=is_healthy)
    if not is_healthy:
        raise typer.Exit(1)


def _show_findings(session: Session, findings: "list[Finding]", *, is_healthy: bool) -> None:
    from mlp.cli.checks import ranked

    output = session.output
    if output.is_json:
        output.json({"is_healthy": is_healthy, "findings": findings, "causes": ranked(findings)})
        return
    columns = [Column("check"), Column("status"), Column("detail", is_folded=True)]
    output.table(columns, [(each.check, each.status, each.detail) for each in findings])
    for rank, cause in enumerate(ranked(findings), start=1):
        if rank == 1:
            output.line()
            output.line(_WHAT_TO_DO)
        output.line(f"{rank}. {cause.check}, {cause.detail}: {cause.remedy or 'see the message'}")


def _show_stack(session: Session, examination: "Examination") -> None:
    output = session.output
    if output.is_json:
        parts, causes = examination.components, examination.causes
        output.json({"is_healthy": examination.is_healthy, "components": parts, "causes": causes})
        return
    columns = [
        Column("component"),
        Column("status"),
        Column("version"),
        number("latency"),
        Column("detail", is_folded=True),
    ]
    rows = [
        (
            part.name,
            part.status,
            part.version or "-",
            "-" if part.latency_ms is None else f"{part.latency_ms:.1f} ms",
            part.detail,
        )
        for part in examination.components
    ]
    output.table(columns, rows)
    for rank, cause in enumerate(examination.causes, start=1):
        if rank == 1:
            output.line()
            output.line(_WHAT_TO_DO)
        what = cause.subject if cause.subject.startswith(cause.kind) else f"{cause.kind} {cause.subject}"
        output.line(f"{rank}. {what}: {cause.detail}")
        output.line(f"   {cause.remedy}")
