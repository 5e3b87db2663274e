"""``mlp workers``: who runs the jobs of the stack, and letting one of them take no more."""

from typing import TYPE_CHECKING, Annotated

import typer

from mlp.cli.output import Column, count, listed, number, span
from mlp.cli.session import Session
from mlp.errors import BadInput, UnknownWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlp.client.fleet import Worker

WorkerArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The worker, or how its id begins.", show_default=False)
]
AllOption = Annotated[bool, typer.Option("--all", help="Also those that have ended.")]
UndoOption = Annotated[bool, typer.Option("--undo", help="Let it take jobs again.")]


def list_workers(session: Session, is_all: AllOption = False) -> None:
    """List workers, and when they were heard of."""
    with session.client() as client:
        known = client.workers.list()
    workers = known if is_all else [worker for worker in known if worker.state != "stopped"]
    if session.output.is_json:
        session.output.json({"workers": workers})
    elif workers:
        columns = [
            Column("id"),
            Column("state"),
            number("jobs"),
            Column("release"),
            number("heard of"),
            Column("queues", is_folded=True),
        ]
        session.output.table(columns, [_row(worker) for worker in workers])
    else:
        session.output.note(
            "No worker lives. On a laptop threads of the server run jobs; in the stack: docker compose up -d worker"
        )


def _row(worker: "Worker") -> tuple[str, ...]:
    heard_of = f"{span(round(worker.age_seconds))} ago"
    state = state_of(worker)
    return worker.id, state, count(worker.processes), worker.release, heard_of, listed(worker.queues)


def state_of(worker: "Worker") -> str:
    """A worker's state in one word; ``gone`` is one that fell silent."""
    if worker.state == "stopped":
        return "stopped"
    if not worker.is_live:
        return "gone"
    return "draining" if worker.is_draining else worker.state


def drain(session: Session, worker_id: WorkerArgument, undo: UndoOption = False) -> None:
    """Let a worker take no more jobs.

    It ends those it has; so its machine can be taken down. What is decided reaches it within seconds.
    """
    with session.client() as client:
        chosen = worker_named(client.workers.list(), worker_id)
        worker = client.workers.undrain(chosen.id) if undo else client.workers.drain(chosen.id)
    if session.output.is_json:
        session.output.json(worker)
    elif not worker.is_live:
        session.output.line(f"worker {worker.id} is {state_of(worker)}, and takes no jobs as it is")
    elif undo:
        session.output.line(f"worker {worker.id} takes jobs again within 5 s")
    else:
        session.output.line(f"worker {worker.id} takes no more jobs within 5 s, and ends those it has")
        session.output.note(f"Let it take jobs again: mlp workers drain --undo {worker.id}")


def worker_named(workers: "Sequence[Worker]", beginning: str) -> "Worker":
    """The worker with this id, or the only one whose id begins so; of several the one that is live.

    Raises:
        UnknownWorker: None does.
        BadInput: Several do.
    """
    exact = [worker for worker in workers if worker.id == beginning]
    if exact:
        return exact[0]
    found = [worker for worker in workers if worker.id.startswith(beginning)]
    live = [worker for worker in found if worker.is_live]
    chosen = live if live else found
    if not chosen:
        raise UnknownWorker(f"no worker's id begins with '{beginning}': mlp workers list shows them")
    if len(chosen) > 1:
        ids = listed(worker.id for worker in chosen)
        raise BadInput(f"'{beginning}' may be {ids}: write more of the id")
    return chosen[0]
