"""The sockets that web servers listen on, bound and held by the supervisor."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Literal

from config.supervision.errors import BadPort, PortTaken
from config.supervision.processes import ProcessSpec

HOST = "127.0.0.1"

type Side = Literal["public", "inside"]


class Doors:
    """
    Two for each web server, one for customers and one for other services.

    They are bound at once and held to the end: a taken port shows before anything else is started, and nobody takes it
    while a web server is started again. They refuse connections until the web server listens.
    """

    def __init__(self) -> None:
        self._held = ExitStack()
        self._sockets: dict[str, dict[Side, socket.socket]] = {}
        self._of_group: dict[tuple[str, ...], dict[Side, socket.socket]] = {}

    def open(self, specs: Sequence[ProcessSpec], *, first: ProcessSpec | None, port: str) -> None:
        """The first one's public door gets this port, the others any that is free. Raises BadPort, PortTaken."""
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise BadPort(port=port)
        for spec in specs:
            if spec.listens:
                public = self._bind(int(port) if spec is first else 0)
                self._of_group[spec.domains] = self._sockets[spec.name] = {"public": public, "inside": self._bind(0)}

    def url(self, group: tuple[str, ...], side: Side) -> str:
        """Where this group's web server answers. Raises KeyError for a group without one."""
        return f"http://{HOST}:{self.port(group, side)}"

    def port(self, group: tuple[str, ...], side: Side) -> int:
        return int(self._of_group[group][side].getsockname()[1])

    def groups(self) -> list[tuple[str, ...]]:
        """Those with a web server."""
        return list(self._of_group)

    def fds(self, name: str) -> dict[str, int]:
        """The numbers of a process's sockets."""
        return {str(side): held.fileno() for side, held in self._sockets.get(name, {}).items()}

    def close(self) -> None:
        self._held.close()

    def _bind(self, port: int) -> socket.socket:
        bound = self._held.enter_context(socket.socket())
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
        except OSError as error:
            raise PortTaken(port=port, host=HOST, reason=error.strerror) from error
        return bound
