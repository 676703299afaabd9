"""
What the gateway has to know, as plain frozen data: no settings are read here, and no domain is known by its name.

    Site(
        bind="127.0.0.1:8000",
        groups=(
            Group(domains=("users", "inventory"), servers=(Server(host="127.0.0.1", port=9001),)),
            Group(domains=("orders",), servers=DnsName(name="orders.shop.svc", port=8000, at_most=8)),
        ),
        routes=(
            Route(path="/api/users", domain="users"),
            Route(path="/api/orders", domain="orders"),
            Route(path="/admin", domain="users"),
            Route(path="/admin/orders", domain="orders"),
        ),
        keys={"the-kid": "-----BEGIN PUBLIC KEY-----..."},
        tokens=Tokens(issuer="mitosis", audience="mitosis-api", checked=("/api",), unchecked=("/api/users/token",)),
        limits=Limits(anonymous=Limit(quota=100, seconds=900), exempt=("/health", "/static")),
        session=Session(path="/admin", cookie="console"),
        folder=Path("var/gateway"),
    )

A path stands for itself and for all below it, and the longest that fits decides. Durations are in seconds. What cannot
be rendered is refused with a BadSite.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from runtime.http.counters import Limit

__all__ = ["BadSite", "DnsName", "Group", "Limits", "Route", "Server", "Session", "Site", "Tokens"]

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_BIND = re.compile(r"(?:\*|[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})|fd@[0-9]{1,4}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)


class BadSite(ValueError):
    """A description that no gateway can be made of. The message names the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One process's public door. An IPv6 address stands in brackets."""

    host: str
    port: int

    def __post_init__(self) -> None:
        _require(_HOST.fullmatch(self.host), f"host={self.host!r} is no host name and no address")
        _require_port(self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsName:
    """A name that stands for one process for each of its addresses, asked again and again; ``at_most`` so many."""

    name: str
    port: int
    at_most: int = 16

    def __post_init__(self) -> None:
        _require(_HOST.fullmatch(self.name), f"name={self.name!r} is no host name")
        _require_port(self.port)
        _require(0 < self.at_most <= 256, f"at_most={self.at_most!r} is not between 1 and 256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Domains that are hosted together, and where: all servers of a group are equals."""

    domains: tuple[str, ...]
    servers: tuple[Server, ...] | DnsName

    def __post_init__(self) -> None:
        _require(self.domains, "a group has no domains")
        for domain in self.domains:
            _require(_WORD.fullmatch(domain), f"domain={domain!r} is not made of letters, digits, - and _")
        _require(self.servers, f"the group {self.name} has no servers")

    @property
    def name(self) -> str:
        """``users+inventory``"""
        return "+".join(self.domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    Requests for this path, and for all below it, go to the group that hosts the domain.

    ``elsewhere``: while none of its servers is ready, they go to another group, the first that is. So it is where every
    process has the same to answer, as files and documents, or can at least say what is away.
    """

    path: str
    domain: str
    elsewhere: bool = False

    def __post_init__(self) -> None:
        _require_paths((self.path,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """
    What a good access token says, and where one that is not good is refused: below ``checked``, save ``unchecked``.

    ``leeway`` is how far two machines' clocks may differ.
    """

    issuer: str
    audience: str
    leeway: int = 10
    checked: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.issuer, self.audience):
            _require(_WORD.fullmatch(name), f"{name!r} is not made of letters, digits, - and _")
        _require_paths((*self.checked, *self.unchecked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How often one client may ask. None is no limit.

    ``anonymous`` counts whoever has no good token, by address (of IPv6 the /64). ``user`` counts by the token's
    subject, save who has one of ``uncounted_roles``: leave it None where the processes count users in one cache.
    """

    anonymous: Limit | None = None
    user: Limit | None = None
    uncounted_roles: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_paths(self.exempt)
        for role in self.uncounted_roles:
            _require(_WORD.fullmatch(role), f"role={role!r} is not made of letters, digits, - and _")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    People who sign in below ``path`` with this cookie are not counted, as they are not without a gateway.

    Only the process behind can tell whether the cookie is good. Where it is not, the process takes it away, and the
    gateway, which sees that, counts it as somebody who is not signed in.
    """

    path: str
    cookie: str

    def __post_init__(self) -> None:
        _require_paths((self.path,))
        _require(_WORD.fullmatch(self.cookie), f"cookie={self.cookie!r} is not made of letters, digits, - and _")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """
    One gateway. ``bind`` is where it answers: ``127.0.0.1:8000``, ``*:8000``, or ``fd@7`` for a socket it is handed.

    ``keys`` are public keys in PEM by their kid. ``metrics`` is where its own figures are read; None is nowhere.
    ``nameservers`` (``10.0.0.2:53``) are asked for the DnsName of a group; none means those of /etc/resolv.conf.
    ``answer_within`` is how long a process may take to answer.
    """

    bind: str
    groups: tuple[Group, ...]
    routes: tuple[Route, ...]
    keys: Mapping[str, str]
    tokens: Tokens
    limits: Limits
    folder: Path
    session: Session | None = None
    metrics: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    answer_within: int = 30

    def __post_init__(self) -> None:
        for address in filter(None, (self.bind, self.metrics)):
            found = _BIND.fullmatch(address)
            _require(found, f"bind={address!r} is neither host:port nor fd@number")
            _require_port(int((found and found[1]) or 1))
        self._check_groups()
        for kid, pem in self.keys.items():
            # It becomes the name of a file.
            _require(_WORD.fullmatch(kid), f"kid={kid!r} is not made of letters, digits, - and _")
            _require_public_key(kid, pem)
        for network in self.trusted_proxies:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise BadSite(f"trusted_proxies={network!r} is no address and no network") from None
        for server in self.nameservers:
            _require(_BIND.fullmatch(server), f"nameserver={server!r} is not host:port")
        _require(0 < self.answer_within <= 3600, f"answer_within={self.answer_within!r} is not between 1 and 3600")

    def _check_groups(self) -> None:
        hosted = Counter(domain for group in self.groups for domain in group.domains)
        _require(hosted, "there are no groups")
        for domain, times in hosted.items():
            _require(times == 1, f"the domain {domain} is in {times} groups")
        for path, times in Counter(route.path for route in self.routes).items():
            _require(times == 1, f"the path {path} has {times} routes")
        for route in self.routes:
            _require(route.domain in hosted, f"the route {route.path} leads to {route.domain!r}, which nobody hosts")

    def group_of(self, domain: str) -> Group:
        return next(group for group in self.groups if domain in group.domains)


def _require(holds: object, sentence: str) -> None:
    if not holds:
        raise BadSite(sentence)


def _require_public_key(kid: str, pem: str) -> None:
    """HAProxy would take any file for a key, and then refuse every token."""
    try:
        key: object = load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    _require(isinstance(key, RSAPublicKey), f"the key {kid} is not an RSA public key in PEM")


def _require_port(port: int) -> None:
    _require(0 < port <= 65535, f"port={port!r} is not between 1 and 65535")


def _require_paths(paths: Iterable[str]) -> None:
    for path in paths:
        _require(_PATH.fullmatch(path), f"path={path!r} does not begin with /, ends with one, or has to be escaped")
