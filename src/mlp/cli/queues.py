"""``mlp queues``: what waits where and who takes it; pausing a queue and resuming it."""

from typing import TYPE_CHECKING, Annotated

import typer

from mlp.cli.arguments import ReasonOption
from mlp.cli.output import Column, count, number, span
from mlp.cli.session import Session

if TYPE_CHECKING:
    from mlp.client.fleet import Queue

QueueArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The queue, such as mlp.default.", show_default=False)
]


def list_queues(session: Session) -> None:
    """List queues: what waits, what runs, who takes it."""
    with session.client() as client:
        queues = client.queues.list()
    if session.output.is_json:
        session.output.json({"queues": queues})
        return
    columns = [
        Column("queue"),
        number("queued"),
        number("running"),
        number("oldest"),
        number("workers"),
        Column("state", is_folded=True),
    ]
    session.output.table(columns, [_row(queue) for queue in queues])


def _row(queue: "Queue") -> tuple[str, ...]:
    oldest = span(queue.oldest_seconds)
    return queue.name, count(queue.queued), count(queue.running), oldest, count(queue.workers), state_of(queue)


def state_of(queue: "Queue") -> str:
    """A queue's state in a few words."""
    if queue.is_paused:
        return f"paused: {queue.reason}" if queue.reason else "paused"
    if not queue.workers:
        return "no worker takes it" if queue.is_known else "left over: no worker takes it"
    return "open"


def pause(session: Session, name: QueueArgument, reason: ReasonOption = "") -> None:
    """Let a queue accept jobs and start none.

    Jobs that run go on. The queue stays paused, whatever is started again, until it is resumed.
    """
    with session.client() as client:
        queue = client.queues.pause(name, reason)
    if session.output.is_json:
        session.output.json(queue)
        return
    running = f", {count(queue.running)} still running" if queue.running else ""
    session.output.line(f"queue {queue.name} is paused: {count(queue.queued)} waiting{running}")
    session.output.note(f"It goes on accepting jobs. Start them again: mlp queues resume {queue.name}")


def resume(session: Session, name: QueueArgument) -> None:
    """Let a paused queue start its jobs again."""
    with session.client() as client:
        queue = client.queues.resume(name)
    if session.output.is_json:
        session.output.json(queue)
        return
    session.output.line(f"queue {queue.name} is open: {count(queue.queued)} waiting to start")
    if not queue.workers:
        session.output.warn(f"no worker takes {queue.name}: mlp doctor says why")
