"""Where the domains that other processes host can be asked: the address of an inside port for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,5}))?/?", re.ASCII)


class BadServiceUrl(ValueError):
    """A domain's address cannot be used. ``value`` is shown unless it may have a password in it."""

    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, "…" if "@" in value else value
        self.wanted = "it is the http or https address of an inside port and no path, as in http://10.0.0.7:8001"
        super().__init__(f"{name} cannot be used: {self.wanted}")


def service_urls(environ: Mapping[str, str], domains: Iterable[str]) -> dict[str, str]:
    """``<DOMAIN>_URL`` of those that have one. Raises BadServiceUrl."""
    found = {}
    for domain in domains:
        name = f"{domain.upper()}_URL"
        if value := environ.get(name):
            address = _ADDRESS.fullmatch(value)
            if address is None or not 0 < int(address[3] or 80) <= 65535:
                raise BadServiceUrl(name, value)
            found[domain] = value.rstrip("/")
    return found
