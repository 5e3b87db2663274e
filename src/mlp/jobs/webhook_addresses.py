"""Where a webhook may go: its URL is read at acceptance, its host resolved and judged before each call.

A call is made to the very address that was judged: a second resolution might answer with another one (DNS rebinding).
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlp.errors import BadInput

URL_CHARACTERS_MAX = 2_000
#: Printable ASCII, the only thing that a request line and a Host field carry.
_PRINTABLE = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: As socket.getaddrinfo(): entries whose last member begins with the address.
Resolver = Callable[..., Sequence[tuple[Any, ...]]]

#: All that IANA has given out for IPv6 to the public (ipv6-address-space registry); NAT64 is looked through below.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
#: What Python 3.11 takes for global and the IANA special-purpose registries do not: RFC 6890 section 2.2.2, RFC 9637.
_NOT_PUBLIC = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("3fff::/20"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 section 2.1


class AddressRefused(Exception):
    """The host of a webhook has no address that may be called; the message says which it has."""


@dataclass(frozen=True, slots=True)
class WebhookURL:
    """The parts of a webhook's URL.

    Attributes:
        host: A name or an address, without brackets.
        target: Path and query, as a request line has them (RFC 9112 section 3.2.1).
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_field(self) -> str:
        """What the field Host says (RFC 9110 section 7.2)."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


def read_url(text: str) -> WebhookURL:
    """The parts of a URL that a job may name as its webhook.

    Raises:
        BadInput: It is not http or https, has no host, carries a user or a password, or more than 2,000 characters.
    """
    if len(text) > URL_CHARACTERS_MAX:
        raise BadInput(f"the webhook has {len(text)} characters: at most {URL_CHARACTERS_MAX} are taken")
    if not _PRINTABLE.fullmatch(text):
        raise BadInput("the webhook must be written in printable ASCII: percent-encode the path, the host in Punycode")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadInput(f'the webhook "{text}" is not a URL: {error}') from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadInput(f'the webhook "{text}" must begin with http:// or https:// and a host')
    if "@" in parts.netloc:
        raise BadInput("the webhook must not carry a user or a password: its receiver checks the signature")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookURL(parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port, target)


def check_url(text: str, *, is_private_allowed: bool) -> None:
    """Return if a job may name this URL; a host that is a name is judged when it is called, by what it means then.

    Raises:
        BadInput: As read_url(); or the host is an address that is not public.
    """
    url = read_url(text)
    try:
        address = ipaddress.ip_address(url.host)
    except ValueError:
        return
    if not is_private_allowed and not is_public(address):
        raise BadInput(f"the webhook calls {url.host}, which is no public address: {_REMEDY}")


def permitted_addresses(
    url: WebhookURL,
    *,
    is_private_allowed: bool,
    resolve: Resolver = socket.getaddrinfo,
) -> list[str]:
    """The addresses of the URL's host that may be called, in the order of the resolver; blocks while it answers.

    Raises:
        AddressRefused: It has only others.
        OSError: It has none at all, or the resolver does not answer.
    """
    found = resolve(url.host, url.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    permitted = [text for text in addresses if is_private_allowed or _is_public_text(text)]
    if not permitted:
        raise AddressRefused(f"{url.host} is {', '.join(addresses)}, which is no public address: {_REMEDY}")
    return permitted


_REMEDY = "only the setting webhook_private_addresses allows such calls"


def is_public(address: IPAddress) -> bool:
    """Whether the address is one of the public internet, also behind what carries IPv4 within IPv6.

    Not public: loopback, private, shared (CGNAT), link-local, multicast, reserved and documentation addresses (IANA
    special-purpose address registries, RFC 6890).
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = _carried(address)
        if inner is not None:
            return is_public(inner)
        if address not in _PUBLIC_IPV6:
            return False
    is_excepted = any(address.version == network.version and address in network for network in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not address.is_reserved and not is_excepted


def _is_public_text(text: str) -> bool:
    try:
        return is_public(ipaddress.ip_address(text))
    except ValueError:
        return False  # with a zone, such as fe80::1%eth0 where the resolver leaves it in


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a gateway would call: IPv4-mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052)."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
