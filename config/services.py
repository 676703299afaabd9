"""Where the domains that other processes host can be asked, and where this process tells that it is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,5}))?/?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", re.ASCII)
_WANTED = "it is the http or https address of an inside port and no path, as in http://10.0.0.7:8001"

DISCOVERY = ("static", "dns", "consul")


class BadServiceUrl(ValueError):
    """What says where services are cannot be used. ``value`` is shown unless it may have a password in it."""

    def __init__(self, name: str, value: str, wanted: str = _WANTED) -> None:
        self.name, self.value, self.wanted = name, "…" if "@" in value else value, wanted
        super().__init__(f"{name}={self.value!r} cannot be used: {self.wanted}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """``urls``: with static, one or several addresses for a domain, with commas between; with dns, one with a name."""

    discovery: str
    urls: Mapping[str, str]
    consul_url: str
    consul_token: str | None
    inside_host: str | None


def service_settings(environ: Mapping[str, str], domains: Iterable[str]) -> ServiceSettings:
    """Raises BadServiceUrl."""
    discovery = environ.get("DISCOVERY") or "static"
    if discovery not in DISCOVERY:
        raise BadServiceUrl("DISCOVERY", discovery, f"it is one of {', '.join(DISCOVERY)}")
    host = environ.get("INSIDE_HOST") or None
    if host and not _HOST.fullmatch(host):
        raise BadServiceUrl("INSIDE_HOST", host, "it is a name or an address, as in 10.0.0.7")
    return ServiceSettings(
        discovery=discovery,
        urls=service_urls(environ, domains, one=discovery == "dns"),
        consul_url=_consul_url(environ, in_use=discovery == "consul"),
        consul_token=environ.get("CONSUL_TOKEN") or None,
        inside_host=host,
    )


def service_urls(environ: Mapping[str, str], domains: Iterable[str], *, one: bool = False) -> dict[str, str]:
    """``<DOMAIN>_URL`` of those that have one. Raises BadServiceUrl."""
    found = {}
    for domain in domains:
        name = f"{domain.upper()}_URL"
        if value := environ.get(name):
            urls = value.split(",")
            if any(not _is_address(url) for url in urls):
                raise BadServiceUrl(name, value)
            if one and (len(urls) > 1 or not value.startswith("http://")):
                raise BadServiceUrl(name, value, "with DISCOVERY=dns it is one http address, as in http://orders:8001")
            found[domain] = ",".join(url.rstrip("/") for url in urls)
    return found


def _is_address(url: str) -> bool:
    address = _ADDRESS.fullmatch(url)
    return address is not None and 0 < int(address[3] or 80) <= 65535


def _consul_url(environ: Mapping[str, str], *, in_use: bool) -> str:
    value = environ.get("CONSUL_URL") or ""
    wanted = "it is the http or https address of a Consul agent, as in http://127.0.0.1:8500"
    if in_use and not value:
        raise BadServiceUrl("CONSUL_URL", value, f"DISCOVERY=consul needs it: {wanted}")
    if value and not _is_address(value):
        raise BadServiceUrl("CONSUL_URL", value, wanted)
    return value.rstrip("/")
