"""The databases of a move: of somebody's own, or a server of ours, which is started for as long as the move takes."""

from __future__ import annotations

from pathlib import Path

from config.moves.errors import NoServerHere
from runtime.embedded.postgres import Postgres, running_url
from runtime.extraction.journal import Database


class MovingServers:
    def __init__(self, state: Path) -> None:
        self._state = state
        self._started: list[Postgres] = []

    def url(self, database: Database, *, domain: str, may_be_new: bool = False) -> str:
        """An administrator's. Raises NoServerHere, EmbeddedError."""
        if database.url is not None:
            return database.url
        name = str(database.embedded)
        if found := running_url(self._state, name=name):
            return found
        folder = self._state / name
        if not may_be_new and not (folder / "data" / "PG_VERSION").exists():
            raise NoServerHere(folder=folder, domain=domain)
        server = Postgres(self._state, name=name)
        server.start()
        self._started.append(server)
        return server.url

    def close(self) -> None:
        """Stop what was started for the move: whoever hosts the domain next starts it by himself."""
        for server in self._started:
            server.stop()
        self._started.clear()
