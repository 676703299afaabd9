"""The system's own resolver: every address that a name has, as a headless service of Kubernetes gives them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from runtime.discovery.instances import Instance, NotFound

type LookUp = Callable[[str, int], Sequence[str]]


class Names:
    """
    ``http://orders.shop.svc:8001``: the addresses behind the name, looked up again every five seconds.

    A name that is gone is no proof that nobody is there: what was known is kept, and a closed door says it better.
    """

    pause = 5.0

    def __init__(self, url: str, *, domain: str, look_up: LookUp | None = None) -> None:
        self._domain = domain
        parts = urlsplit(url)
        self._name, self._port = parts.hostname or "", parts.port or 80
        self._host = parts.netloc
        self._look_up = look_up or addresses

    def look(self) -> tuple[Instance, ...]:
        try:
            found = self._look_up(self._name, self._port)
        except (OSError, UnicodeError) as error:
            raise NotFound(f"{self._name} has no address: {error}") from error
        if not found:
            raise NotFound(f"{self._name} has no address")
        urls = [f"http://{bracketed(address)}:{self._port}" for address in found]
        return tuple(Instance(self._domain, url, self._host) for url in urls)


def addresses(name: str, port: int) -> Sequence[str]:
    """A and AAAA, each once, in order. Raises OSError."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found})


def bracketed(address: str) -> str:
    """As an address stands in a URL."""
    return f"[{address}]" if ":" in address else address
