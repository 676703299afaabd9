"""The embedded servers that the environment leaves to us, and what the application's processes are told about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from config.environment import DOMAINS, Environment, read
from config.supervision.processes import running_process
from runtime.embedded.postgres import Postgres
from runtime.embedded.state import RunningProcess
from runtime.embedded.valkey import Valkey


class Servers:
    """PostgreSQL and Valkey, each only where the environment names none of one's own."""

    def __init__(self, state: Path, environ: Mapping[str, str]) -> None:
        self._environ = {**environ, "STATE_DIR": str(state)}
        self._own_domains = [] if environ.get("DATABASE_URL") else [d for d in DOMAINS if not environ.get(_setting(d))]
        self._postgres = Postgres(state) if self._own_domains else None
        self._valkey = None if environ.get("BROKER_URL") and environ.get("CACHE_URL") else Valkey(state)
        self._reported: set[str] = set()

    @property
    def titles(self) -> list[str]:
        """What is embedded, by the names that people know."""
        known = ((self._postgres, "PostgreSQL"), (self._valkey, "Valkey"))
        return [title for server, title in known if server is not None]

    def start(self) -> None:
        """Raises an EmbeddedError that says what is in the way."""
        for server in (self._postgres, self._valkey):
            if server is not None:
                server.start()

    def stop(self, *, hurry: Callable[[], bool]) -> None:
        for server in (self._valkey, self._postgres):
            if server is not None:
                server.stop(hurry=hurry)

    def newly_dead(self) -> list[str]:
        """The names of those that have died since this was asked last. They are not started again."""
        dead = {server.name for server in (self._postgres, self._valkey) if server is not None and server.exited()}
        found = sorted(dead - self._reported)
        self._reported |= dead
        return found

    def entries(self) -> list[RunningProcess]:
        """Their lines in run.json."""
        found = [
            running_process(server.name, domains, server.process)
            for server, domains in ((self._postgres, self._own_domains), (self._valkey, DOMAINS))
            if server is not None and not server.exited()
        ]
        return [entry for entry in found if entry is not None]

    # --- What the others are told -----------------------------------------------------------------------------------

    def settings(self) -> Environment:
        """The application's settings with these servers. Raises BadSetting."""
        return read(self.environment_to_prepare())

    def environment_to_prepare(self) -> dict[str, str]:
        """For migrate and seed, which need an administrator's rights."""
        told = dict(self._environ)
        if self._postgres is not None:
            told["DATABASE_URL"] = self._postgres.url
        if self._valkey is not None:
            told["BROKER_URL"] = told.get("BROKER_URL") or self._valkey.url(0)
            told["CACHE_URL"] = told.get("CACHE_URL") or self._valkey.url(1)
        return told

    def environment_to_serve(self) -> dict[str, str]:
        """For web, worker and relay: each domain's own role and no administrator."""
        told = self.environment_to_prepare()
        databases = self.settings().databases
        told.pop("DATABASE_URL", None)
        return {**told, **{_setting(domain): url for domain, url in databases.items() if url}}


def _setting(domain: str) -> str:
    return f"{domain.upper()}_DATABASE_URL"
