"""The server process: one owner of the data folder, one socket, one or several processes that answer on it."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from mlp.api.key import check_exposure
from mlp.config import Settings
from mlp.errors import ConfigurationInvalid
from mlp.observability import logging as log_lines
from mlp.storage.ownership import FolderOwner

if TYPE_CHECKING:
    from mlp.stack import Stack

_log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; returns after a graceful stop.

    Side effects: takes the folder's lock, listens, writes ``server.json`` into the folder while it runs.

    Raises:
        FolderInUse: Another server owns the folder; the message has its pid and address.
        ConfigurationInvalid: The address cannot be listened on, or is open to other machines without a key.
    """
    check_exposure(settings)
    log_lines.set_up(settings.log_level, settings.log_format)
    settings.folder.mkdir(parents=True, exist_ok=True)
    with FolderOwner(settings.folder) as owner, listening_socket(settings) as listener:
        url = url_of(listener)
        owner.announce(url)
        if settings.processes == 1:
            _serve_alone(settings, listener, url)
        else:
            from mlp.api.supervisor import supervise

            supervise(settings, listener, url)


def _serve_alone(settings: Settings, listener: socket.socket, url: str) -> None:
    from mlp.api.app import create_app
    from mlp.stack import Stack

    stack = Stack(settings)
    run_server(create_app(stack), settings, listener, lambda: greeting(stack, url))


def run_server(app: Any, settings: Settings, listener: socket.socket, greet: Callable[[], str] | None) -> None:
    """Answer on a socket with this process's event loop until a signal comes; ``greet`` is asked once it answers."""
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
    _Server(config, greet).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, greet: Callable[[], str] | None) -> None:
        super().__init__(config)
        self._greet = greet

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
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


@contextmanager
def listening_socket(settings: Settings) -> Iterator[socket.socket]:
    """A socket bound to the address of the settings; port 0 takes a free one.

    Raises:
        ConfigurationInvalid: In use, not allowed, or not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        # On Windows this option would let two servers share the port, which is what it must prevent.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigurationInvalid(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
            "choose another with --port, or 0 for a free one"
        ) from error
    listener.listen(2048)
    listener.set_inheritable(True)
    try:
        yield listener
    finally:
        listener.close()


def url_of(listener: socket.socket) -> str:
    """The address that a person on this machine can use."""
    host, port = listener.getsockname()[:2]
    is_here = host in ("127.0.0.1", "0.0.0.0", "::", "::1")
    name = "localhost" if is_here else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def metrics_folder(settings: Settings) -> Path:
    """Where the processes of one server keep their numbers while it runs."""
    return settings.folder / "metrics"
