"""``mlp deployment``: the two steps that the Compose stack takes before its services start."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mlp.cli.session import Session

_PREPARED = "prepared"


def prepare(
    session: Session,
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write.  [prepared in the data folder]")
    ] = None,
) -> None:
    """Write hashes, users and receivers for the other containers.

    From the environment: the hash that Traefik compares, RabbitMQ's users, Alertmanager's receivers.
    """
    from mlp.deployment.prepare import prepare as write_all

    session.refuse_url('"mlp deployment" works where it runs')
    folder = session.settings.folder / _PREPARED if into is None else into
    written = write_all(folder, os.environ)
    if session.output.is_json:
        session.output.json({"written": [str(path) for path in written]})
    for path in () if session.output.is_json else written:
        session.output.line(f"written: {path}")


def migrate(session: Session) -> None:
    """Wait for the database and bring it up to date.

    Also makes the role that Grafana reads with.
    """
    from mlp.deployment.migrate import migrate as make_ready

    session.refuse_url('"mlp deployment" works on the database itself')
    revision = make_ready(session.settings, os.environ.get("GRAFANA_DATABASE_PASS", ""))
    if session.output.is_json:
        session.output.json({"revision": revision})
    else:
        session.output.line(f"the database is ready: schema {revision}")
