"""Which addresses a webhook may call: the ranges of the IANA special-purpose registries, and what hides them."""

import ipaddress
import socket
from typing import Any

import pytest

from mlp.errors import BadInput
from mlp.jobs.webhook_addresses import (
    URL_CHARACTERS_MAX,
    AddressRefused,
    WebhookURL,
    check_url,
    is_public,
    permitted_addresses,
    read_url,
)


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_public_addresses(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",  # CGNAT, RFC 6598
        "127.0.0.1",
        "169.254.169.254",  # where clouds hand out credentials
        "172.16.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",  # IPv4-compatible, deprecated
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "64:ff9b:1::808:808",  # NAT64 of a local network, RFC 8215
        "2001::1",  # Teredo
        "2001:db8::1",
        "2002:7f00:1::1",  # 6to4 of 127.0.0.1
        "3fff::1",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("text", "expected", "host_field"),
    [
        ("https://example.org", WebhookURL("https", "example.org", 443, "/"), "example.org"),
        ("http://Example.org:8080/a?b=c#d", WebhookURL("http", "example.org", 8080, "/a?b=c"), "example.org:8080"),
        ("http://[2001:db8::1]:80/", WebhookURL("http", "2001:db8::1", 80, "/"), "[2001:db8::1]"),
    ],
)
def test_url_is_read(text: str, expected: WebhookURL, host_field: str) -> None:
    url = read_url(text)

    assert url == expected
    assert url.host_field == host_field


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org/done",
        "ftp://example.org",
        "http://",
        "http:///done",
        "http://user@example.org",
        "http://user:pass@example.org",
        "http://@example.org",
        "http://example.org:99999",
        "http://example.org:port",
        "http://[::1",
        "http://example.org/a b",
        "http://example.org/\r\nX: y",
        "http://müller.example",
        "http://example.org/" + "a" * URL_CHARACTERS_MAX,
    ],
)
def test_url_that_cannot_be_called_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="webhook"):
        read_url(text)


def test_private_address_in_the_url_is_refused_unless_allowed() -> None:
    with pytest.raises(BadInput, match="no public address"):
        check_url("http://169.254.169.254/latest", is_private_allowed=False)

    check_url("http://169.254.169.254/latest", is_private_allowed=True)
    check_url("http://a-name.example/", is_private_allowed=False)  # judged when it is called


def answering(*addresses: str) -> Any:
    """A resolver that knows these addresses."""
    return lambda _host, port, type: [(socket.AF_INET, type, 6, "", (address, port)) for address in addresses]


def permitted(*addresses: str, is_private_allowed: bool = False) -> list[str]:
    url = read_url("http://a-name.example/")
    return permitted_addresses(url, is_private_allowed=is_private_allowed, resolve=answering(*addresses))


def test_only_public_addresses_of_a_name_are_called() -> None:
    assert permitted("10.0.0.1", "8.8.8.8", "8.8.8.8", "fe80::1%eth0") == ["8.8.8.8"]
    assert permitted("10.0.0.1", is_private_allowed=True) == ["10.0.0.1"]


def test_name_without_a_public_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match=r"a-name.example is 10.0.0.1, ::1"):
        permitted("10.0.0.1", "::1")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_loopback_in_disguise_is_refused_by_the_real_resolver(host: str) -> None:
    with pytest.raises((AddressRefused, OSError)):
        permitted_addresses(read_url(f"http://{host}/"), is_private_allowed=False)
