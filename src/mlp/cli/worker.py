"""``mlp worker``: runs queued jobs of a stack until a signal."""

import os
from typing import Annotated

import typer

from mlp.cli.session import Session


def worker(
    session: Session,
    queues: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Queues to take, comma-separated.  [CELERY_QUEUE, else all]"),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(metavar="COUNT", help="Processes.  [MLP_WORKER_PROCESSES, else 2]")
    ] = None,
) -> None:
    """Run queued jobs of a stack until Ctrl-C.

    The worker takes jobs from RabbitMQ (CELERY_BROKER_URL) and PostgreSQL (DATABASE_URL). On a laptop there is no
    need for one: "mlp serve" runs jobs itself.
    """
    session.refuse_url('"mlp worker" reaches the database and the broker itself')
    if os.name == "nt":
        raise typer.BadParameter("workers need Linux or macOS; on Windows run one in a container")
    settings = session.settings_with(worker_queues=queues, worker_processes=processes)
    from mlp.worker.start import run_worker

    raise typer.Exit(run_worker(settings))
