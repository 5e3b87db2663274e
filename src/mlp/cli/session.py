"""One run of a command: what the shared options say, and the settings, client and output that follow from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mlp.cli.output import Output

if TYPE_CHECKING:
    from mlp.cli.connection import WrapTransport
    from mlp.client import Client
    from mlp.config import Settings


@dataclass(slots=True)
class SharedOptions:
    """The shared options, gathered from every place of the line where they may stand.

    One object serves one run: whoever prints its error must know ``debug``, wherever parsing has ended.
    """

    folder: Path | None = None
    url: str | None = None
    json: bool = False
    debug: bool = False

    def take(self, arguments: dict[str, Any]) -> None:
        """Moves the shared options out of the arguments of a command; what stands later on the line wins."""
        folder, url = arguments.pop("folder"), arguments.pop("url")
        self.folder = self.folder if folder is None else folder
        self.url = self.url if url is None else url
        self.json = arguments.pop("json") or self.json
        self.debug = arguments.pop("debug") or self.debug


class Session:
    """What a command is given besides its own arguments."""

    def __init__(self, shared: SharedOptions) -> None:
        self.shared = shared
        self.output = Output(is_json=shared.json)

    @cached_property
    def settings(self) -> "Settings":
        """The settings of this process, with what the command line says in their place.

        Raises:
            ConfigurationInvalid: A variable or an option holds a value that is not allowed.
        """
        return self.settings_with()

    def settings_with(self, **overrides: Any) -> "Settings":
        """The settings with further values of the command line; None leaves a setting as it is.

        Raises:
            ConfigurationInvalid: A variable or an option holds a value that is not allowed.
        """
        from mlp.cli.connection import read_settings

        return read_settings(folder=self.shared.folder, url=self.shared.url, **overrides)

    @contextmanager
    def client(self, wrap: "WrapTransport | None" = None) -> Iterator["Client"]:
        """A client of the server that is named or runs on the folder, else of the folder opened here.

        Raises:
            ServerUnreachable: A server is named, and does not answer; raised by the calls.
            FolderInUse: Another command holds the folder.
        """
        from mlp.cli.connection import connect

        with connect(self.settings, wrap) as client:
            yield client

    def refuse_url(self, reason: str) -> None:
        """Returns unless the command line names a server, with which the command has nothing to do.

        Raises:
            typer.BadParameter: It does; ``reason`` says what the command does instead.
        """
        if self.shared.url is not None:
            raise typer.BadParameter(f"{reason}: leave --url out")

    @property
    def has_server(self) -> bool:
        """Whether a server is named, or runs on the folder."""
        from mlp.storage.ownership import find_server

        return self.settings.url is not None or find_server(self.settings.folder) is not None

    @property
    def address(self) -> str:
        """Where the server is reached, or would be if ``mlp serve`` were run; for the calls that are printed."""
        from mlp.cli.connection import server_address

        return server_address(self.settings)
