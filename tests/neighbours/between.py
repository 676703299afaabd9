"""What stands between callers and a domain's inside port: it lets all through, or does what a broken neighbour does."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

type Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_HEAD_ENDS = b"\r\n\r\n"
_PIECE = 65_536


class Between:
    """
    ``url`` stands for the neighbour, ``leads_to`` says where that is whenever a connection comes in.

    Each change of what it does breaks off the connections that there are.
    """

    def __init__(self, leads_to: Callable[[], str]) -> None:
        self._leads_to = leads_to
        self._behave: Behaviour = self._let_through
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        with socket.create_server(("127.0.0.1", 0)) as found:
            self._port = int(found.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="between", daemon=True)
        self._thread.start()
        self._do(self._listen())

    def close(self) -> None:
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens: no connection comes about."""
        self._do(self._refuse())
        try:
            yield
        finally:
            self._do(self._listen())

    @contextmanager
    def saying(self, *answers: bytes) -> Iterator[None]:
        """Each request is read whole and answered with one of these after the other."""
        turns = itertools.cycle(answers)

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await _request(reader):
                writer.write(next(turns))
                await writer.drain()

        self._do(self._change(behave))
        try:
            yield
        finally:
            self._do(self._change(self._let_through))

    # --- In the loop's thread ---------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
        self._break_off()

    async def _change(self, behave: Behaviour) -> None:
        self._behave = behave
        self._break_off()

    def _break_off(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._behave(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _let_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = urlsplit(self._leads_to()).port
        there_reader, there = await asyncio.open_connection("127.0.0.1", port)
        try:
            ways = {asyncio.ensure_future(_carry(*way)) for way in ((reader, there), (there_reader, writer))}
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        finally:
            there.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """Headers and body; empty where the other side has gone."""
    try:
        head = await reader.readuntil(_HEAD_ENDS)
    except asyncio.IncompleteReadError:
        return b""
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    length = next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)
    return head + await reader.readexactly(length)


# --- What broken neighbours say -------------------------------------------------------------------------------------


def _http(body: bytes, *, status: str = "200 OK", media_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


CRASHES = (
    # As our own services do, and as something does that stands before them.
    _http(
        b'{"type": "about:blank", "title": "Internal Server Error", "status": 500, "code": "internal_error",'
        b' "detail": "KeyError; its log says more.", "instance": "/internal"}',
        status="500 Internal Server Error",
        media_type="application/problem+json",
    ),
    _http(b"<h1>Internal Server Error</h1>", status="500 Internal Server Error", media_type="text/html"),
)
GARBAGE = (
    _http(bytes(range(256))),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is no HTTP\r\n\r\n",
    _http(b"<html>It works!</html>", media_type="text/html"),
    _http(b'{"id": "0197', media_type="application/json"),
)
