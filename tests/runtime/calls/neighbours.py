"""Neighbours that do not do what a service does: a socket that answers what it is told to, or not at all."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

_AT_ONCE = struct.pack("ii", 1, 0)


class Neighbour:
    """Reads each request whole, and gives the connection to ``behave``. Remembers requests by connection."""

    def __init__(self, behave: Callable[[socket.socket], bool], *, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._behave = behave
        self.requests: list[tuple[int, bytes]] = []
        self.closed = 0
        self._connections = 0
        self._listener = socket.create_server(address)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{address[0]}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Nobody is let in any more."""
        with contextlib.suppress(OSError):
            # Whoever waits in accept() keeps the door open otherwise.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def connections(self) -> list[int]:
        """Which connection each request came by."""
        return [number for number, _ in self.requests]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections += 1
                threading.Thread(target=self._serve, args=(connection, self._connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            while request := _read(connection):
                self.requests.append((number, request))
                if not self._behave(connection):
                    break
        self.closed += 1


def _read(connection: socket.socket) -> bytes:
    """Headers and body; empty where the other side has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65_536)):
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    length = next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes, *, status: str = "200 OK", media_type: str = "application/json", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def saying(data: bytes, *, stays: bool = False) -> Callable[[socket.socket], bool]:
    """Sends these bytes; ``stays``: the connection is kept."""

    def behave(connection: socket.socket) -> bool:
        connection.sendall(data)
        return stays

    return behave


def resetting(connection: socket.socket) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    return False


def silent(connection: socket.socket) -> bool:
    """Says nothing until the caller goes away."""
    return bool(connection.recv(1))


def dripping(data: bytes, *, every: float) -> Callable[[socket.socket], bool]:
    """One byte now and then."""

    def behave(connection: socket.socket) -> bool:
        head, _, body = data.partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        for byte in body:
            connection.sendall(bytes([byte]))
            threading.Event().wait(every)
        return False

    return behave
