"""The socket that a server listens on, and the address that people use for it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from mlp.config import Settings
from mlp.errors import ConfigurationInvalid


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
