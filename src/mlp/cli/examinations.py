"""Asks the server for its examination, and examines the stack from here where no server answers."""

from dataclasses import replace
from typing import TYPE_CHECKING

from mlp.cli.checks import Finding
from mlp.clock import monotonic
from mlp.errors import MLPError, UnknownName

if TYPE_CHECKING:
    from mlp.client.examination import Examination
    from mlp.config import Settings

#: Longest wait for a server that may hang; one that lives says so within milliseconds.
_READY_SECONDS = 3.0
#: Its examination waits as long for each part, all at the same time.
_EXAMINATION_SECONDS = 15.0
#: What the checks of a folder do not find themselves.
_KINDS_OF_JOBS = ("pause", "queue", "backlog", "jobs")


def find_examination(settings: "Settings") -> "Examination | None":
    """What the server that is named, or runs on the folder, says of itself and the parts beside it.

    Where none answers, the stack is examined from here if settings name one; else None.
    """
    from mlp.cli.connection import server_address
    from mlp.storage.ownership import find_server

    is_named = settings.url is not None
    if not is_named:
        server = find_server(settings.folder)
        if server is None or server.url is None:
            return _from_here(settings, "the server does not run")
    try:
        return _from_server(settings, server_address(settings))
    except UnknownName:
        return None  # a server of an older release
    except MLPError as error:
        return None if is_named else _from_here(settings, error.message)


def _from_server(settings: "Settings", url: str) -> "Examination":
    from mlp.client import Client, HTTPTransport

    key = None if settings.api_key is None else settings.api_key.get_secret_value()
    with Client(api_key=key, transport=HTTPTransport(url), timeout_seconds=_READY_SECONDS) as client:
        began_at = monotonic()
        client.ready()
        latency_ms = 1000 * (monotonic() - began_at)
    with Client(api_key=key, transport=HTTPTransport(url), timeout_seconds=_EXAMINATION_SECONDS) as client:
        found = client.examination()
    parts = [replace(part, latency_ms=latency_ms) if part.name == "api" else part for part in found.components]
    return replace(found, components=parts)


def _from_here(settings: "Settings", trouble: str) -> "Examination | None":
    if not settings.has_broker:
        return None
    from mlp.api.examination import examine
    from mlp.observability import logging as log_lines

    # A driver's warning is in the report already.
    log_lines.set_up("error", settings.log_format)
    return examine(settings, None, server_trouble=trouble)


def findings_of(examination: "Examination | None") -> list[Finding]:
    """What a server on a laptop knows of its jobs, as findings beside those about its folder."""
    if examination is None:
        return []
    return [
        Finding(f"{cause.kind} {cause.subject}", cause.status, cause.detail, cause.remedy)
        for cause in examination.causes
        if cause.kind in _KINDS_OF_JOBS
    ]
