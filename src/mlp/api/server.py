"""The server process: one owner of the data folder, one socket, one or several processes that answer on it."""

import socket

from mlp.api.key import check_exposure
from mlp.api.listening import listening_socket, url_of
from mlp.config import Settings
from mlp.observability import logging as log_lines
from mlp.storage.ownership import FolderOwner


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
    from mlp.api.process import greeting, run_server
    from mlp.stack import Stack

    stack = Stack(settings)
    run_server(create_app(stack), stack, settings, listener, lambda: greeting(stack, url))
