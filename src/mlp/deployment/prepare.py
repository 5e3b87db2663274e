"""Writes what other containers read at their start: a password's hash, RabbitMQ's users, Alertmanager's receivers.

Written anew at each start from the environment, so that a password that changes in .env needs no other step.
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from mlp.deployment.alertmanager import alertmanager_config
from mlp.errors import ConfigurationInvalid

#: Who signs in to the dashboards of Prometheus, Traefik and RabbitMQ.
ADMIN = "admin"
#: RabbitMQ's own user, which a broker's address without one means.
_GUEST = "guest"
#: About 10 ms a request to a dashboard; the default of 12 would be 200.
_BCRYPT_ROUNDS = 8


def prepare(folder: Path, environment: Mapping[str, str]) -> list[Path]:
    """The files written: ``admins``, ``rabbitmq.json``, ``alertmanager.yml``; readable by the other containers.

    Raises:
        ConfigurationInvalid: A variable is missing or malformed; named.
    """
    password = _required(environment, "GRAFANA_ADMIN_PASS")
    broker_url = _required(environment, "CELERY_BROKER_URL")
    contents = {
        "admins": f"{ADMIN}:{_bcrypt(password)}\n",
        "rabbitmq.json": json.dumps(rabbitmq_definitions(broker_url, password), indent=2),
        "alertmanager.yml": alertmanager_config(environment),
    }
    folder.mkdir(parents=True, exist_ok=True)
    # The volume is seen by containers of other users, and by nobody else.
    folder.chmod(0o755)
    return [_write(folder / name, text) for name, text in contents.items()]


def rabbitmq_definitions(broker_url: str, admin_password: str) -> dict[str, object]:
    """RabbitMQ's users and their rights, as it imports them at its start (management guide, "Definitions").

    Two users: that of the broker's address, who may use everything of ``/`` and administer nothing, and ``admin``.
    """
    parts = _address(broker_url)
    name, password = unquote(parts.username or _GUEST), unquote(parts.password or _GUEST)
    if name == ADMIN:
        raise ConfigurationInvalid(f"CELERY_BROKER_URL names the user {ADMIN}, which is RabbitMQ's administrator here")
    users = [(name, password, []), (ADMIN, admin_password, ["administrator"])]
    rights = {"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": each,
                "password_hash": _salted_sha256(secret),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": tags,
            }
            for each, secret, tags in users
        ],
        "permissions": [{"user": each, **rights} for each, _, _ in users],
    }


def _address(broker_url: str) -> SplitResult:
    malformed = ConfigurationInvalid(
        "CELERY_BROKER_URL is not an address such as pyamqp://user:password@rabbitmq/: characters of the password "
        "other than letters, digits, - and _ are written as %2F for /, %23 for #, %40 for @"
    )
    try:
        parts = urlsplit(broker_url)
        _ = parts.port  # looked at only when asked for
    except ValueError:
        raise malformed from None
    # What is not quoted ends the host's part early, and its "@" stands behind.
    if not parts.scheme or not parts.hostname or "@" in parts.path + parts.query + parts.fragment:
        raise malformed
    return parts


def _salted_sha256(password: str) -> str:
    """RabbitMQ's hash: base64 of a salt of 4 bytes and the SHA-256 of salt and password (guide "Credentials")."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _bcrypt(password: str) -> str:
    try:
        import bcrypt
    except ModuleNotFoundError as error:
        raise ConfigurationInvalid('bcrypt is not installed: pip install "mlp-stack[stack]"') from error
    # bcrypt takes 72 bytes at most; what is longer is refused rather than cut unsaid.
    if len(password.encode()) > 72:
        raise ConfigurationInvalid("GRAFANA_ADMIN_PASS is longer than 72 bytes: choose a shorter one")
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS)).decode()


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise ConfigurationInvalid(f"{name} is not set: it stands in .env, see .env.example")
    return value


def _write(path: Path, text: str) -> Path:
    fresh = path.with_suffix(".part")
    fresh.write_text(text)
    fresh.chmod(0o644)
    os.replace(fresh, path)
    return path
