"""Where a request comes from: believed from a header only where one of our own proxies wrote it."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

__all__ = ["client_address", "client_network", "is_https"]

type _Address = IPv4Address | IPv6Address


def client_address(request: HttpRequest) -> str:
    """
    REMOTE_ADDR, or behind our proxies the rightmost address of X-Forwarded-For that is not one of them.

    What stands further left was written by the client and is never looked at.
    """
    remote = request.META.get("REMOTE_ADDR", "")
    found = _parse(remote)
    if found is None or not _is_trusted(found):
        return str(found or remote)
    for part in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = _parse(part)
        if address is None:  # not an address: the last hop that was one is all we know
            break
        found = address
        if not _is_trusted(address):
            break
    return str(found)


def client_network(request: HttpRequest) -> str:
    """What a limit counts: the address, of IPv6 the /64 that one subscriber has to himself (RFC 6177)."""
    text = client_address(request)
    address = _parse(text)
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else text


def is_https(request: HttpRequest) -> bool:
    """Whether the client speaks https: to us, or to one of our proxies that says so."""
    remote = _parse(request.META.get("REMOTE_ADDR", ""))
    said = request.META.get("HTTP_X_FORWARDED_PROTO", "").strip().lower() == "https"
    return request.is_secure() or (said and remote is not None and _is_trusted(remote))


def _parse(text: str) -> _Address | None:
    """Also ``[::1]:443`` and ``10.0.0.1:443``, as some proxies write them."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: _Address) -> bool:
    return any(address in network for network in _proxies(tuple(settings.TRUSTED_PROXIES)))


@cache
def _proxies(words: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(word, strict=False) for word in words)
