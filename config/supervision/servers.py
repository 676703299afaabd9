"""The embedded servers that the environment leaves to us, and what the application's processes are told about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from config.environment import Environment, read
from config.supervision.processes import named, running_process
from config.topology import Group, Topology
from runtime.embedded.postgres import Postgres
from runtime.embedded.state import RunningProcess
from runtime.embedded.valkey import Valkey


class Servers:
    """PostgreSQL for each group of domains and one Valkey, each only where the environment names none of one's own."""

    def __init__(self, state: Path, environ: Mapping[str, str], base: Topology) -> None:
        self._state = state
        self._environ = self._told_by(environ)
        self._topology = base
        self._postgres = _databases(state, environ, base)
        self._valkey = None if environ.get("BROKER_URL") and environ.get("CACHE_URL") else Valkey(state)
        self._reported: set[str] = set()

    @property
    def titles(self) -> list[str]:
        """What is embedded, by the names that people know."""
        count = len(self._postgres)
        databases = ["PostgreSQL" if count == 1 else f"{count} PostgreSQL servers"] if count else []
        return [*databases, *(["Valkey"] if self._valkey else [])]

    def left_aside(self) -> list[str]:
        """The servers of other topologies, whose data stay where they are while one of ours begins with none."""
        own = {server.name for server, _ in self._postgres}
        if all((self._state / name).exists() for name in own):
            return []
        return sorted(path.name for path in self._state.glob("postgres*") if path.name not in own)

    def start(self) -> None:
        """Raises an EmbeddedError that says what is in the way."""
        for server in self._all:
            server.start()

    def change(self, environ: Mapping[str, str], base: Topology) -> None:
        """
        Serve by these settings from now on: what is needed is started, what nobody needs is stopped, the rest goes on.

        Raises an EmbeddedError.
        """
        running = {server.name: server for server, _ in self._postgres if not server.exited()}
        self._environ, self._topology = self._told_by(environ), base
        self._postgres = [
            (running.get(server.name, server), domains) for server, domains in _databases(self._state, environ, base)
        ]
        needed = {server.name for server, _ in self._postgres}
        for name, server in running.items():
            if name not in needed:
                server.stop()
        for server, _domains in self._postgres:
            if server.exited():
                server.start()

    def _told_by(self, environ: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in environ.items() if name != "TOPOLOGY"}
        return {**kept, "STATE_DIR": str(self._state)}

    def stop(self, *, hurry: Callable[[], bool]) -> None:
        for server in reversed(self._all):
            server.stop(hurry=hurry)

    def newly_dead(self) -> list[str]:
        """The names of those that have died since this was asked last. They are not started again."""
        dead = {server.name for server in self._all if server.exited()}
        found = sorted(dead - self._reported)
        self._reported |= dead
        return found

    def entries(self) -> list[RunningProcess]:
        """Their lines in run.json."""
        domains = {server.name: own for server, own in self._postgres}
        found = [
            running_process(server.name, domains.get(server.name, self._topology.domains), server.process)
            for server in self._all
            if not server.exited()
        ]
        return [entry for entry in found if entry is not None]

    @property
    def _all(self) -> list[Postgres | Valkey]:
        return [*(server for server, _ in self._postgres), *([self._valkey] if self._valkey else [])]

    # --- What the others are told -----------------------------------------------------------------------------------

    def settings(self) -> Environment:
        """The application's settings with these servers. Raises BadSetting."""
        return read(self.environment_to_prepare())

    def environment_to_prepare(self) -> dict[str, str]:
        """For migrate and seed, which need an administrator's rights."""
        told = dict(self._environ)
        for server, domains in self._postgres:
            told |= {_setting(domain): server.url for domain in domains}
        if self._valkey is not None:
            told["BROKER_URL"] = told.get("BROKER_URL") or self._valkey.url(0)
            told["CACHE_URL"] = told.get("CACHE_URL") or self._valkey.url(1)
        return told


def _databases(state: Path, environ: Mapping[str, str], topology: Topology) -> list[tuple[Postgres, Group]]:
    """A server for each group, for those of its domains that have no URL of their own."""
    if environ.get("DATABASE_URL"):
        return []
    found = []
    for group in topology.groups:
        if domains := tuple(domain for domain in group if not environ.get(_setting(domain))):
            name = named("postgres", group, of=len(topology.groups))
            found.append((Postgres(state, name=name), domains))
    return found


def _setting(domain: str) -> str:
    return f"{domain.upper()}_DATABASE_URL"
