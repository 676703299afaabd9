"""
Consul's HTTP API, as much of it as is needed: who passes, and that we are here.

Followed as https://developer.hashicorp.com/consul/api-docs describes it (health, agent/service, agent/check, blocking
queries).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from runtime.discovery.instances import Instance, NotFound
from runtime.discovery.names import bracketed

WAIT_SECONDS = 30
"""How long Consul holds a question that has no news. It adds up to a sixteenth of it by itself."""
_SECONDS = 3.0
_LONGEST_ANSWER = 4 * 1024 * 1024


class ConsulAway(Exception):
    """Consul did not answer, or not with 200. ``status`` is 0 where it said nothing."""

    def __init__(self, said: str, *, status: int = 0) -> None:
        super().__init__(said)
        self.status = status


class Consul:
    """One agent's API, asked by one thread."""

    def __init__(self, url: str, *, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-Consul-Token": token} if token else {}
        self._http = urllib3.PoolManager(retries=False, maxsize=2)

    def ask(
        self, method: str, path: str, *, body: Any = None, seconds: float = _SECONDS, **query: str
    ) -> tuple[Any, Mapping[str, str]]:
        """What it answered, and its headers. Raises ConsulAway."""
        address = f"{self._url}{path}{'?' + urlencode(query) if query else ''}"
        try:
            answer = self._http.request(
                method,
                address,
                body=None if body is None else json.dumps(body).encode(),
                headers={**self._headers, "Content-Type": "application/json"},
                timeout=urllib3.Timeout(connect=_SECONDS, read=seconds),
                redirect=False,
            )
            if len(answer.data) > _LONGEST_ANSWER:
                raise ValueError("its answer is too long")
            if answer.status != 200:
                raise ConsulAway(f"Consul answered {answer.status} to {method} {path}", status=answer.status)
            return json.loads(answer.data) if answer.data.strip() else None, answer.headers
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError) as error:
            raise ConsulAway(f"Consul does not answer {method} {path}: {type(error).__name__}") from error


class Passing:
    """The instances of a domain whose checks pass, by blocking reads: each look waits for news."""

    pause = 0.2
    """A service that changes without a pause is not asked about without one."""

    def __init__(self, consul: Consul, *, domain: str) -> None:
        self._consul = consul
        self._domain = domain
        self._index = 0

    def look(self) -> tuple[Instance, ...]:
        query, seconds = {"passing": "true"}, _SECONDS
        if self._index:
            query |= {"index": str(self._index), "wait": f"{WAIT_SECONDS}s"}
            seconds += WAIT_SECONDS * 17 / 16
        try:
            found, headers = self._consul.ask("GET", f"/v1/health/service/{self._domain}", seconds=seconds, **query)
            instances = tuple(dict.fromkeys(_instance(self._domain, entry) for entry in found))
            index = int(headers.get("X-Consul-Index", "0"))
        except ConsulAway as error:
            self._index = 0
            raise NotFound(str(error)) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._index = 0
            raise NotFound(f"Consul's answer about {self._domain} cannot be read: {error!r}") from error
        # An index that runs backwards belongs to another history: begin anew, as the documentation asks.
        self._index = index if index >= self._index else 0
        return instances


def _instance(domain: str, entry: Mapping[str, Any]) -> Instance:
    service = entry["Service"]
    address = str(service.get("Address") or entry["Node"]["Address"])
    port = int(service["Port"])
    if not address or not 0 < port <= 65535:
        raise ValueError(f"{address}:{port} is no address")
    scheme = "https" if (service.get("Meta") or {}).get("scheme") == "https" else "http"
    return Instance(domain, f"{scheme}://{bracketed(address)}:{port}")
