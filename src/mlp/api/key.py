"""The key of a server: without it every path but health and metrics answers 401 (RFC 6750 section 2.1)."""

import hmac
import ipaddress

from starlette.types import Scope

from mlp.config import Settings
from mlp.errors import ConfigurationInvalid, Unauthorised

_SCHEME = b"bearer "  # compared without regard to case: RFC 9110 section 11.1


def key_of(settings: Settings) -> bytes | None:
    """The key that requests must carry; None where none is set, or an empty one."""
    key = "" if settings.api_key is None else settings.api_key.get_secret_value()
    return key.encode() or None


def may_pass(scope: Scope, key: bytes) -> bool:
    """Whether a request carries the key, or asks for what probes and Prometheus read without one.

    Metrics are open to who reaches the server itself, as Prometheus does, and not through a proxy.
    """
    path: str = scope["path"]
    if path.startswith("/health/"):
        return True
    headers = dict(scope["headers"])
    if path == "/metrics" and b"x-forwarded-for" not in headers:
        return True
    value = headers.get(b"authorization", b"")
    is_bearer = value[: len(_SCHEME)].lower() == _SCHEME
    return is_bearer and hmac.compare_digest(value[len(_SCHEME) :].strip(), key)


def refusal() -> Unauthorised:
    """What a request without the key is told."""
    return Unauthorised("this server asks for its key: send it as 'Authorization: Bearer KEY', with MLP_API_KEY as KEY")


def check_exposure(settings: Settings) -> None:
    """Refuse to open a server without a key to other machines.

    In a container the server listens on every address of the container, and what decides is where that is published.

    Raises:
        ConfigurationInvalid: The address is not loopback and no key is set.
    """
    address = settings.host if settings.bind_address is None else settings.bind_address
    if key_of(settings) is None and not _is_loopback(address):
        raise ConfigurationInvalid(
            f"{address or 'an empty host'} can be reached from other machines, and whoever reaches the server "
            "may run code in it: set MLP_API_KEY to a secret key, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
