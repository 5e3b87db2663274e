"""``mlp serve``: runs the server on the data folder until a signal."""

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from mlp.cli.session import Session


def serve(
    session: Session,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to listen on.  [MLP_HOST, else 127.0.0.1]", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Port; 0 takes a free one.  [MLP_PORT, else 4789]", show_default=False),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(metavar="COUNT", help="API processes.  [MLP_PROCESSES, else 1]", show_default=False)
    ] = None,
) -> None:
    """Serve the models of a data folder until Ctrl-C."""
    session.refuse_url('"mlp serve" starts a server of its own')
    settings = session.settings_with(host=host, port=port, processes=processes)
    signal.signal(signal.SIGTERM, _end)
    from mlp.api.server import serve as serve_until_signal

    serve_until_signal(settings)


def _end(_number: int, _frame: FrameType | None) -> None:
    # After its graceful stop uvicorn sends itself the signal once more; Python's default would then end the process
    # before the folder is given back.
    sys.exit(0)
