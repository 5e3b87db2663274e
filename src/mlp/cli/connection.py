"""Where a command goes: to the server that it names, to the one that runs on the folder, else into the folder itself.

What a server leaves in its folder so that it is found is the business of ``storage.ownership``.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlp.clock import monotonic
from mlp.errors import ConfigurationInvalid, FolderInUse

if TYPE_CHECKING:
    from mlp.client import Client, Transport
    from mlp.config import Settings

WrapTransport = Callable[["Transport"], "Transport"]

#: A command that finds the folder held waits this long: a server that starts needs 1 to 2 s until it has an address,
#: and another command is mostly done by then.
WAIT_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.1


def read_settings(**overrides: Any) -> "Settings":
    """The settings of this process; an override that is not None stands in place of its variable.

    Raises:
        ConfigurationInvalid: A value is not allowed; the message names its variable.
    """
    from pydantic import ValidationError

    from mlp.config import Settings

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigurationInvalid(_reason(error.errors(include_url=False), given)) from error
    if settings.folder.is_file():
        where = "--folder" if "folder" in given else "the variable MLP_FOLDER"
        raise ConfigurationInvalid(f"{settings.folder} is a file: {where} names the data folder")
    return settings


def _reason(errors: list[Any], given: dict[str, Any]) -> str:
    first = errors[0]
    name = str(first["loc"][0])
    message = str(first["msg"])
    asked = message[:1].lower() + message[1:]
    is_secret = any(word in name.lower() for word in ("key", "url", "pass"))
    value = "" if is_secret else f", got {first['input']}"
    if name in given:
        return f"--{name.replace('_', '-')}: {asked}{value}"
    variable = name if name.isupper() else f"MLP_{name.upper()}"
    return f"the variable {variable} is wrong: {asked}{value}"


def connect(settings: "Settings", wrap: WrapTransport | None = None) -> "Client":
    """A client that reaches what the settings name; to be closed by whoever asked.

    Args:
        wrap: Puts something between the client and its transport, such as a look at what is uploaded.

    Raises:
        FolderInUse: The folder is held by a process that gives no address, for longer than ``WAIT_SECONDS``.
        SchemaOutdated: Opened here, the folder needs a newer release.
    """
    from mlp.client import Client

    api_key = None if settings.api_key is None else settings.api_key.get_secret_value()
    transport = _transport(settings)
    return Client(api_key=api_key, transport=transport if wrap is None else wrap(transport))


def _transport(settings: "Settings") -> "Transport":
    from mlp.client import HTTPTransport
    from mlp.storage.ownership import find_server

    if settings.url is not None:
        return HTTPTransport(settings.url)
    deadline = monotonic() + WAIT_SECONDS
    while True:
        server = find_server(settings.folder)
        if server is not None and server.url is not None:
            return HTTPTransport(server.url)
        try:
            return _opened_here(settings)
        except FolderInUse:
            if monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_SECONDS)


def _opened_here(settings: "Settings") -> "Transport":
    # Imports the whole server: only a command that works without one pays for it.
    from mlp.api.in_process import InProcessTransport
    from mlp.observability import logging as log_lines

    # The reader wants the result; what a server would log on its way there is left out, but for what went wrong.
    log_lines.set_up("error", settings.log_format)
    return InProcessTransport.open(settings)


def server_address(settings: "Settings") -> str:
    """Where the server is, or would be if ``mlp serve`` were run with these settings."""
    from mlp.storage.ownership import find_server

    if settings.url is not None:
        return settings.url.rstrip("/")
    server = find_server(settings.folder)
    if server is not None and server.url is not None:
        return server.url.rstrip("/")
    host = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else settings.host
    return f"http://{host}:{settings.port}"
