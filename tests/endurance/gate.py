"""What stands between a daemon and its API server, and can hold a request of the journal at a chosen point.

A daemon that is killed while its request is held dies at that very point: nothing was sent, half of it, or all of it,
with an answer that nobody has read.
"""

import asyncio
import enum
import ssl

from exporter.journal.objects import GROUP
from tests.forwarding import CHUNK, Forwarder


class Request(enum.Enum):
    """What the journal sends, by how it begins."""

    LEASE = b"PUT /apis/coordination.k8s.io/"
    CREATION = b"POST /apis/%s/" % GROUP.encode()
    STATUS = b"PATCH /apis/%s/" % GROUP.encode()


class Point(enum.Enum):
    """How far a request has come."""

    UNSENT = "unsent"
    HALF = "half"
    UNANSWERED = "unanswered"


class Gate(Forwarder):
    """Forwards to a port of loopback, with `tls` where that speaks it; an async context manager."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._target = port
        self._tls = tls
        self._wanted: tuple[Request, Point] | None = None
        self._held = asyncio.Event()

    async def held(self, request: Request, point: Point) -> None:
        """Wait until a request of this kind is at this point; there it stays until the connection ends."""
        self._wanted, self._held = (request, point), asyncio.Event()
        try:
            await self._held.wait()
        finally:
            self._wanted = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target, ssl=self._tls)
        asked = asyncio.Event()  # hold what is answered from now on
        tasks = [
            asyncio.create_task(self._up(reader, server_writer, asked)),
            asyncio.create_task(self._down(server_reader, writer, asked)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server_writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        while chunk := await reader.read(CHUNK):
            point = self._point(chunk)
            match point:
                case None:
                    pass
                case Point.UNANSWERED:
                    asked.set()
                case Point.UNSENT | Point.HALF:
                    if point is Point.HALF:
                        writer.write(chunk[: len(chunk) // 2])
                        await writer.drain()
                    self._held.set()
                    await _end_of(reader)
                    return
            writer.write(chunk)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        while chunk := await reader.read(CHUNK):
            if asked.is_set():
                self._held.set()
                await asyncio.Event().wait()
            writer.write(chunk)
            await writer.drain()

    def _point(self, chunk: bytes) -> Point | None:
        """Where to hold what begins here; each wish is fulfilled once."""
        if self._wanted is None or not chunk.startswith(self._wanted[0].value):
            return None
        point, self._wanted = self._wanted[1], None
        return point


async def _end_of(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK):
        pass
