"""What tests of the web server share: content set by hand, and requests of few bytes."""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence

from exporter.exposition import negotiation
from exporter.model.report import Report
from exporter.web.status import Status
from tests.unit.report.examples import REPORT

PAGE = b"kubevirt_upgrade_guests 1\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Content:
    """What a daemon would have to show."""

    def __init__(self) -> None:
        self.page = PAGE

    def metrics(self, encoding: negotiation.Encoding) -> bytes:
        return self.page

    def reports(self) -> Sequence[Report]:
        return [REPORT]

    def status(self) -> Status:
        return Status(version="1.2.3", now=2, started_at=1, ready=True, stopping=False, resources=())


class Page:
    def render(self, reports: Sequence[Report], status: Status) -> str:
        return f"<p>{status.version}"

    def policy(self) -> str:
        return "default-src 'none'"


async def ask(port: int, request: bytes, *, context: ssl.SSLContext | None = None) -> bytes:
    """All that comes back until the connection ends."""
    name = "localhost" if context else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
