"""Wires to the broker and to other servers: read what went over one, and cut it."""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from celery import Celery
from django.conf import settings
from kombu import Connection

from runtime.messaging.broker import queue_of


def broker_url() -> str:
    return os.environ["BROKER_URL"]


def direct() -> Celery:
    """An application that reaches the broker as it is."""
    return Celery("no wire", broker=broker_url(), set_as_current=False)


def empty_broker() -> None:
    """Queues, messages and bindings are gone, as after a restart without a disk."""
    with redis.Redis.from_url(broker_url()) as client:
        client.flushdb()


def is_idle() -> bool:
    """Whether no message is in a queue, or out with a worker that has not acknowledged it."""
    with redis.Redis.from_url(broker_url()) as client:
        return not client.hlen("unacked") and not any(client.llen(queue) for queue in settings.DOMAIN_ALIASES)


def take_all(consumer: str) -> list[Any]:
    """The messages in this consumer's queue, in order, taken out of it."""
    taken = []
    with Connection(broker_url()) as connection, connection.channel() as channel:
        queue = queue_of(consumer)(channel)
        while (message := queue.get(accept=["json"])) is not None:
            message.ack()
            taken.append(message)
    return taken


def events(consumer: str) -> list[dict[str, Any]]:
    """The events in this consumer's queue, in order, taken out of it."""
    return [message.payload[1]["event"] for message in take_all(consumer)]


class Wire:
    """A wire to a server, by default the broker, on a port of its own. ``cut`` it and ``mend`` it."""

    def __init__(self, to: str = "") -> None:
        self._target = urlsplit(to or broker_url())
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._server: socket.socket | None = None
        self._ends: list[socket.socket] = []

    @property
    def url(self) -> str:
        """The server's URL over this wire."""
        login = self._target.netloc.rpartition("@")[0]
        return urlunsplit(self._target._replace(netloc=f"{login}@127.0.0.1:{self.port}"))

    def app(self) -> Celery:
        """An application that reaches the broker over this wire only."""
        return Celery("over a wire", broker=self.url, set_as_current=False)

    def mend(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def cut(self) -> None:
        """Every connection ends at once, and a new one is refused."""
        if self._server is not None:
            with suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.create_connection((self._target.hostname or "", self._target.port or 0))
            self._ends += [near, far]
            threading.Thread(target=_carry, args=(near, far), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket) -> None:
    """Both ways, until either end is gone."""
    other = {near: far, far: near}
    with near, far, suppress(OSError, ValueError):
        while True:
            for end in select.select([near, far], [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                other[end].sendall(data)
