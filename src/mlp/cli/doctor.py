"""``mlp doctor``: what is there, what is wrong, and the command that mends it."""

import typer

from mlp.cli.output import Column
from mlp.cli.session import Session


def doctor(session: Session) -> None:
    """Find out what is wrong, and what mends it.

    Looks at this installation, the data folder and its server, and changes nothing. Every artefact is read, which
    takes a while where there are many. The exit code is 1 if something is broken.
    """
    from mlp.cli.checks import Status, examine, ranked

    with session.output.progress("examining"):
        findings = list(examine(session.settings))
    is_healthy = all(finding.status is not Status.FAILED for finding in findings)
    if session.output.is_json:
        session.output.json({"is_healthy": is_healthy, "findings": findings, "causes": ranked(findings)})
    else:
        columns = [Column("check"), Column("status"), Column("detail", is_folded=True)]
        session.output.table(columns, [(each.check, each.status, each.detail) for each in findings])
        for rank, cause in enumerate(ranked(findings), start=1):
            if rank == 1:
                session.output.line()
                session.output.line("What to do, the most urgent first:")
            session.output.line(f"{rank}. {cause.check}, {cause.detail}: {cause.remedy or 'see the message'}")
    if not is_healthy:
        raise typer.Exit(1)
