"""Stands before PostgreSQL and now and then swallows the answer to a COMMIT: done, and nobody hears of it."""

from __future__ import annotations

import asyncio
import random
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SSL_REQUEST = 80877103


class LossyCommits:
    """Listens at ``port``; ``lost`` counts the commits whose answer was swallowed. PostgreSQL's protocol 3.0."""

    def __init__(self, target: int, *, dice: random.Random) -> None:
        self._target, self._dice = target, dice
        self.port = 0
        self.lost = 0
        self.one_in = 0
        """So many commits for one that is lost; 0: none is."""

    @contextmanager
    def running(self) -> Iterator[LossyCommits]:
        loop, ready = asyncio.new_event_loop(), threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._client, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            async with server:
                await server.serve_forever()

        def run() -> None:
            asyncio.set_event_loop(loop)
            try:
                loop.run_until_complete(serve())
            except asyncio.CancelledError:
                pass
            finally:
                loop.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
            thread.join(10)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        swallow = asyncio.Event()
        back = asyncio.ensure_future(self._answers(theirs, writer, swallow))
        try:
            await self._questions(reader, ours, swallow)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if not swallow.is_set():
                ours.close()
            await asyncio.wait([back], timeout=5)
            back.cancel()
            ours.close()
            writer.close()

    async def _questions(
        self, reader: asyncio.StreamReader, ours: asyncio.StreamWriter, swallow: asyncio.Event
    ) -> None:
        started = False
        while not swallow.is_set():
            kind = b"" if not started else await reader.readexactly(1)
            length = await reader.readexactly(4)
            body = await reader.readexactly(struct.unpack("!I", length)[0] - 4)
            if not started:
                started = struct.unpack("!I", body[:4])[0] != SSL_REQUEST
            if kind == b"Q" and body.rstrip(b"\0").upper() == b"COMMIT" and self._loses():
                swallow.set()
            ours.write(kind + length + body)
            await ours.drain()

    def _loses(self) -> bool:
        return bool(self.one_in) and self._dice.randrange(self.one_in) == 0

    async def _answers(
        self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter, swallow: asyncio.Event
    ) -> None:
        while chunk := await theirs.read(65536):
            if swallow.is_set():
                # It has answered, so it has committed. The client finds the connection closed.
                self.lost += 1
                writer.transport.abort()
                return
            writer.write(chunk)
            await writer.drain()
        writer.close()
