"""A TCP proxy on loopback that breaks connections: cut, cut after some bytes, frozen, refused. It reads nothing."""

import asyncio
import contextlib

from tests.forwarding import CHUNK, Forwarder


class Proxy(Forwarder):
    """Forwards to one port; an async context manager."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.refuses = False
        """New connections are reset at once."""
        self.allowance: int | None = None
        """Bytes that may still come from the server, over all connections; with the last one all are cut."""
        self.accepted = 0

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Let nothing through, and say nothing."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Let through what has come meanwhile."""
        self._thawed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refuses:
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, server_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(self._pump(reader, server_writer))
                await self._pump(server_reader, writer, limited=True)
                writer.close()
                await writer.wait_closed()
                up.cancel()
        finally:
            self._writers -= ends
            server_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, limited: bool = False) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._thawed.wait()
                allowed = self.allowance if limited else None
                writer.write(chunk[:allowed])
                await writer.drain()
                if allowed is not None:
                    self.allowance = allowed - len(chunk)
                    if self.allowance <= 0:
                        self.allowance = None
                        return
