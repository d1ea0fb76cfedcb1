"""Connections that break are nothing to tell: whoever breaks them on purpose knows, and nobody else is asked."""

import asyncio

import pytest

from tests.forwarding import Forwarder


class Breaks(Forwarder):
    """Ends each connection with an error of its own, or with a group of them."""

    def __init__(self, *, grouped: bool) -> None:
        super().__init__()
        self._grouped = grouped

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        error = ConnectionResetError()
        raise ExceptionGroup("both ways", [error]) if self._grouped else error


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_broken_connection_is_ended_and_reaches_nobody(*, grouped: bool) -> None:
    async with Breaks(grouped=grouped) as forwarder:
        reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
