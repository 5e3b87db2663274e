"""``mlp init``: writes the stack's ``.env`` with a random password for every service, and never over another."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from mlp.cli.session import Session
from mlp.errors import Conflict

_FILE = Path(".env")
_COMPOSE_FILE = Path("docker-compose.yaml")
# RFC 1123 section 2.1: letters, digits and inner hyphens, 63 to a label. What else there is could break the file.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DOMAIN_CHARACTERS_MAX = 253
# Far narrower than RFC 5322: what needs quoting there would need it in the file as well.
_EMAIL = re.compile(rf"[A-Za-z0-9._+-]+@{_LABEL}(\.{_LABEL})+")


def init(
    session: Session,
    domain: Annotated[
        str, typer.Option(metavar="NAME", help="Domain of the machine; its sub-domains lead to the dashboards.")
    ] = "localhost",
    bind: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on.  [0.0.0.0 with a domain, else 127.0.0.1]",
            show_default=False,
        ),
    ] = None,
    email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where Let's Encrypt writes to.", show_default=False)
    ] = None,
) -> None:
    """Write the stack's .env, with random passwords."""
    from mlp.deployment import environment

    session.refuse_url('"mlp init" writes a file here')
    _check_domain(domain)
    bind_address = _bind_address(bind, environment.LOOPBACK if domain == "localhost" else environment.EVERYWHERE)
    if email is not None and not _EMAIL.fullmatch(email):
        raise typer.BadParameter(f"{email!r} is no e-mail address such as ops@example.org", param_hint="--email")
    _write_new(_FILE, environment.strong_text(domain, bind_address, email))
    _report(session, domain, bind_address)


def _check_domain(domain: str) -> None:
    if len(domain) > _DOMAIN_CHARACTERS_MAX or not _DOMAIN.fullmatch(domain):
        raise typer.BadParameter(f"{domain!r} is no domain such as example.org", param_hint="--domain")


def _bind_address(asked: str | None, unless_asked: str) -> str:
    if asked is None:
        return unless_asked
    try:
        # Docker publishes on IPv4 and IPv6 alike, but Compose reads an IPv6 address only in brackets.
        return str(ipaddress.IPv4Address(asked))
    except ValueError:
        raise typer.BadParameter(f"{asked!r} is no IPv4 address such as 0.0.0.0", param_hint="--bind") from None


def _write_new(path: Path, text: str) -> None:
    """Makes the file for the owner's eyes alone, or leaves the one that is there.

    Raises:
        Conflict: There is one.
    """
    try:
        # O_EXCL: two that run at once, or a link that leads elsewhere, cannot make this overwrite anything.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise Conflict(
            f"{path} is there already, and its passwords may be those of existing volumes: nothing was written; "
            "edit it, or move it away first if the stack has never run with it"
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _report(session: Session, domain: str, bind_address: str) -> None:
    if session.output.is_json:
        session.output.json({"file": str(_FILE.absolute()), "domain": domain, "bind_address": bind_address})
        return
    session.output.line(
        f"{_FILE} is written, for your eyes alone: random passwords, domain {domain}, on {bind_address}"
    )
    session.output.note("Start the stack with `docker compose up -d`; callers send the key that MLP_API_KEY holds.")
    if domain != "localhost":
        session.output.note("With HTTPS: `docker compose -f docker-compose.yaml -f docker-compose.tls.yaml up -d`.")
    if not _COMPOSE_FILE.exists():
        session.output.warn(f"there is no {_COMPOSE_FILE} here: move .env beside the one that you start")
