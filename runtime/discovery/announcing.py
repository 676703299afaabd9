"""
Tells Consul that this process is here, for each domain that it hosts: registered with a TTL check, kept passing for as
long as ``/health/ready`` answers 200 at the address that others are given, and taken out at the end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import urllib3

from runtime.discovery.consul import Consul, ConsulAway
from runtime.discovery.names import bracketed
from runtime.embedded.state import locked, make_private

__all__ = ["Announcement"]

log = logging.getLogger(__name__)

TTL_SECONDS = 15
"""Whoever is not heard of for this time is not passing any more."""
_BEAT_SECONDS = 4.0
_READY_SECONDS = 3.5
_FORGOTTEN_AFTER = "10m"
"""Consul then takes out by itself whoever could not do it any more."""


class Announcement:
    """
    One web server's. ``host`` and ``port`` are those of its inside port, as others reach it; ``folder`` is where its
    workers agree on the one of them that speaks.
    """

    def __init__(self, consul: Consul, *, domains: Sequence[str], host: str, port: int, folder: Path) -> None:
        self._consul = consul
        self._ids = {domain: f"{domain}-{host}-{port}" for domain in domains}
        self._host, self._port = host, port
        self._folder = folder
        self._said: bool | None = None

    def keep(self) -> None:
        """From a thread of its own, until the process ends. Of several workers one speaks; another follows it."""
        threading.Thread(target=self._speak, name="discovery-announcement", daemon=True).start()

    def withdraw(self) -> None:
        """Not here any more. Where Consul is away, the TTL says so."""
        for id_ in self._ids.values():
            try:
                self._consul.ask("PUT", f"/v1/agent/service/deregister/{id_}")
            except ConsulAway as error:
                log.warning("Consul was not told that this process ends: %s", error)
                return

    def _speak(self) -> None:
        name = f"announcement-{self._port}.lock"
        with locked(make_private(self._folder) / name):
            while True:
                self.beat()
                time.sleep(_BEAT_SECONDS)

    def beat(self) -> None:
        """Say once how it is. Whoever is not known to Consul, or not any more, is registered."""
        ready = self._is_ready()
        try:
            for domain, id_ in self._ids.items():
                self._tell(domain, id_, ready=ready)
        except ConsulAway as error:
            if self._said is not False:
                log.warning("Consul is not told that this process is here: %s", error)
            self._said = False
        else:
            if not self._said:
                log.info("Consul knows of this process: %s", ", ".join(self._ids.values()))
            self._said = True

    def _tell(self, domain: str, id_: str, *, ready: bool) -> None:
        """Raises ConsulAway."""
        try:
            self._consul.ask("PUT", f"/v1/agent/check/{'pass' if ready else 'fail'}/service:{id_}")
        except ConsulAway as error:
            # 404 "unknown check"; 500 before Consul 1.11.
            if error.status not in (404, 500):
                raise
            self._consul.ask("PUT", "/v1/agent/service/register", body=self._service(domain, id_, ready=ready))

    def _service(self, domain: str, id_: str, *, ready: bool) -> dict[str, object]:
        return {
            "ID": id_,
            "Name": domain,
            "Address": self._host,
            "Port": self._port,
            "Check": {
                "CheckID": f"service:{id_}",
                "TTL": f"{TTL_SECONDS}s",
                "Status": "passing" if ready else "critical",
                "DeregisterCriticalServiceAfter": _FORGOTTEN_AFTER,
            },
        }

    def _is_ready(self) -> bool:
        """Asked by the way that others come."""
        url = f"http://{bracketed(self._host)}:{self._port}/health/ready"
        try:
            answer = urllib3.request("GET", url, retries=False, redirect=False, timeout=_READY_SECONDS)
        except (urllib3.exceptions.HTTPError, OSError):
            return False
        return bool(answer.status == 200)
