"""The sockets that web servers listen on, bound and held by the supervisor."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Literal

from config.supervision.errors import BadPort, PortTaken
from config.topology import Group

HOST = "127.0.0.1"

type Side = Literal["public", "inside"]


class Doors:
    """
    Two for each web server: for customers, and for other services. Two for the gateway: for customers, and its figures.

    They are bound at once and held to the end: a taken port shows before anything else is started, and nobody takes it
    while a server is started again. They refuse connections until the server listens.
    """

    def __init__(self) -> None:
        self._held = ExitStack()
        self._sockets: dict[str, dict[Side, socket.socket]] = {}
        self._of_group: dict[Group, dict[Side, socket.socket]] = {}
        self._front: dict[Side, socket.socket] | None = None

    def open(self, *, front: str | None, webs: Mapping[str, Group], port: str) -> None:
        """
        By the processes' names: of the gateway, if there is one, and of each group's web server.

        The port is the gateway's, or the only web server's; others get any that is free. Raises BadPort, PortTaken.
        """
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise BadPort(port=port)
        for name in filter(None, (front, *webs)):
            public = self._bind(0 if self._sockets else int(port))
            pair = self._sockets[name] = {"public": public, "inside": self._bind(0)}
            self._front = self._front or pair
            if name in webs:
                self._of_group[webs[name]] = pair

    def change(self, *, front: str | None, webs: Mapping[str, Group]) -> list[socket.socket]:
        """
        The same for another set: PORT stays PORT, and who stays keeps his doors. The answer is those that nobody has
        any more, to be closed once who had them has ended.
        """
        before = list({id(pair): pair for pair in self._pairs()}.values())
        own = {group: pair for group, pair in self._of_group.items() if pair is not self._front}
        self._sockets, self._of_group = {}, {}
        for place, name in enumerate(filter(None, (front, *webs))):
            kept = self._front if place == 0 else own.get(webs[name])
            pair = self._sockets[name] = kept or {"public": self._bind(0), "inside": self._bind(0)}
            if name in webs:
                self._of_group[webs[name]] = pair
        held = {id(pair) for pair in self._pairs()}
        return [door for pair in before if id(pair) not in held for door in pair.values()]

    def _pairs(self) -> list[dict[Side, socket.socket]]:
        return [*self._sockets.values(), *([self._front] if self._front else [])]

    @property
    def front(self) -> str:
        """Where customers find the shop; port 0 where nobody answers."""
        return f"http://{HOST}:{_port(self._front['public']) if self._front else 0}"

    def figures(self, name: str) -> str:
        """Where this process shows its figures. Raises KeyError for one without doors."""
        return f"http://{HOST}:{_port(self._sockets[name]['inside'])}/metrics"

    def url(self, group: Group, side: Side) -> str:
        """Where this group's web server answers. Raises KeyError for a group without one."""
        return f"http://{HOST}:{self.port(group, side)}"

    def port(self, group: Group, side: Side) -> int:
        return _port(self._of_group[group][side])

    def groups(self) -> list[Group]:
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


def _port(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])
