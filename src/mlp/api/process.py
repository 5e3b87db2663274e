"""One process that answers: its event loop on a socket until a signal comes, and what it says when it is up."""

import asyncio
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from mlp.config import Settings

if TYPE_CHECKING:
    from mlp.stack import Stack


def run_server(
    app: Any, stack: "Stack", settings: Settings, listener: socket.socket, greet: Callable[[], str] | None
) -> None:
    """Answer on a socket with this process's event loop until a signal comes; ``greet`` is asked once it answers.

    After the signal it goes on answering for ``drain_seconds``, while it says of itself that it is stopping.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="auto",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks who the caller is
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
    )
    _Server(config, stack, greet).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says where it listens once it does, and stops in two steps: no more for newcomers, then no more at all."""

    def __init__(self, config: uvicorn.Config, stack: "Stack", greet: Callable[[], str] | None) -> None:
        super().__init__(config)
        self._stack = stack
        self._greet = greet
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        drain_seconds = self._stack.settings.drain_seconds
        if self._loop is None or drain_seconds == 0 or self._stack.is_stopping:
            super().handle_exit(sig, frame)
            return
        self._stack.is_stopping = True
        loop, stop = self._loop, super().handle_exit
        loop.call_soon_threadsafe(loop.call_later, drain_seconds, stop, sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before the wait for the requests under way: those that wait for a job's end are among them.
        self._stack.jobs.stop_waiting()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started and self._greet is not None:
            sys.stderr.write(self._greet() + "\n")
            sys.stderr.flush()


def greeting(stack: "Stack", url: str) -> str:
    """What a person reads when the server is up: where it is, and what to do first where there are no models."""
    where = f"MLP serves {url}  (data folder: {stack.settings.folder}; interface: {url}/docs; stop: Ctrl-C)"
    if stack.registry.snapshot().models:
        return where
    return f"{where}\nno models yet: mlp models add NAME model.joblib --example rows.csv"
