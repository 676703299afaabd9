"""What the gateway of this shop has to know: which addresses belong to which domain, and which are nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from config.environment import DOMAINS
from runtime.console.sessions import COOKIE
from runtime.gateway.site import BadSite, DnsName, Group, Limits, Route, Server, Session, Site, Tokens
from runtime.http.counters import parse_limit
from runtime.identity.keys import verifying_keys
from runtime.identity.tokens import AUDIENCE, ISSUER

__all__ = ["UNCHECKED", "describe", "read_group"]

_HOME = "users"
"""Its processes answer what belongs to no domain: the sign-in, the console's first page, keys and documents."""

_DOCUMENTS = ("/api/schema", "/api/docs", *(f"/api/{domain}/schema" for domain in DOMAINS))
_ANYBODY = ("/admin", "/static", *_DOCUMENTS)
"""
Every process has these. Users' processes alone answer them as long as one is ready: the console's first page and the
sign-in are in one place.
"""

UNCHECKED = (
    "/api/users/token",
    "/api/users/password-reset",
    "/api/users/verify-email",
    "/api/payments/webhooks",
    *_DOCUMENTS,
)
"""Where an access token is not looked at: whoever signs in may well send one that has expired."""


def describe(
    *,
    bind: str,
    groups: Sequence[Group],
    folder: Path,
    metrics: str | None = None,
    nameservers: Sequence[str] = (),
    elsewhere: Sequence[str] = (),
) -> Site:
    """
    The site that hosts these groups, with this process's keys, limits and TRUSTED_PROXIES. Raises BadSite.

    Domains that are ``elsewhere`` are another gateway's: what is asked of them here is not found.
    """
    hosted = [domain for group in groups for domain in group.domains]
    if missing := [domain for domain in DOMAINS if domain not in (*hosted, *elsewhere)]:
        raise BadSite(f"no group hosts {', '.join(missing)}")
    return Site(
        bind=bind,
        groups=tuple(groups),
        routes=tuple(_routes(hosted)),
        keys={kid: _pem(key) for kid, key in _keys().items()},
        tokens=Tokens(issuer=ISSUER, audience=AUDIENCE, checked=("/api",), unchecked=UNCHECKED),
        limits=Limits(
            anonymous=parse_limit(settings.RATE_LIMIT_ANONYMOUS),
            # Static files are answered before anything is counted.
            exempt=(*settings.RATE_LIMIT_EXEMPT, settings.STATIC_URL.rstrip("/")),
        ),
        session=Session(path=settings.CONSOLE_PATH, cookie=COOKIE),
        folder=folder,
        metrics=metrics,
        trusted_proxies=tuple(settings.TRUSTED_PROXIES),
        nameservers=tuple(nameservers),
    )


def read_group(text: str) -> Group:
    """
    ``users+inventory=10.0.0.7:8000,10.0.0.8:8000``, or ``orders=dns:orders.shop.svc:8000``. Raises BadSite.
    """
    name, _, where = text.partition("=")
    domains = tuple(name.split("+"))
    if unknown := [domain for domain in domains if domain not in DOMAINS]:
        raise BadSite(f"{text!r} names {unknown[0]!r}, which is none of {', '.join(DOMAINS)}")
    if where.startswith("dns:"):
        host, port = _host_and_port(where.removeprefix("dns:"), text)
        return Group(domains=domains, servers=DnsName(name=host, port=port))
    found = [_host_and_port(part, text) for part in where.split(",")]
    return Group(domains=domains, servers=tuple(Server(host=host, port=port) for host, port in found))


def _host_and_port(part: str, text: str) -> tuple[str, int]:
    host, _, port = part.strip().rpartition(":")
    if not host or not port.isdecimal() or not port.isascii():
        raise BadSite(f"{text!r} is not group=host:port,host:port and not group=dns:name:port")
    return host, int(port)


def _routes(hosted: Sequence[str]) -> Iterable[Route]:
    home = _HOME if _HOME in hosted else hosted[0]
    yield Route(path="/.well-known/jwks.json", domain=home)
    for path in _ANYBODY:
        yield Route(path=path, domain=home, elsewhere=True)
    for domain in hosted:
        yield Route(path=f"/api/{domain}", domain=domain)
        # Another group's process tells people that this one's are away, with the way to the other pages.
        yield Route(path=f"{settings.CONSOLE_PATH}/{domain}", domain=domain, elsewhere=True)


def _keys() -> Mapping[str, RSAPublicKey]:
    """Raises BadSite where somebody has them and did not tell: all who are signed in would be taken for nobody."""
    found = verifying_keys(wait=True).by_kid
    if not found and settings.JWKS_URL:
        raise BadSite(f"no keys came from JWKS_URL={settings.JWKS_URL}")
    return found


def _pem(key: RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
