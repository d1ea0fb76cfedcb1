"""The HTTP server: metrics, health, reports, the page. Bounded, so that no client can stop the watching.

| path | answer |
|---|---|
| `/metrics` | the metrics page, in the format and encoding the scraper takes |
| `/livez` | 200 while the event loop turns |
| `/readyz` | 200 once everything was listed, for ever after; 503 with what is missing, and while stopping |
| `/api/v1/upgrades` | all reports as a JSON list, oldest first |
| `/debug/probes` and the like | texts that other parts make |
| `/` | the page for people |

GET and HEAD only; over TLS where there is a certificate, and to those only whom the gate lets in, if there is one. What
is served comes from a `Content`, whose answers must be there at once.
"""

import asyncio
import contextlib
import io
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

import msgspec
from aiohttp import web

from exporter import errors
from exporter.exposition import negotiation
from exporter.model.changes import Sync
from exporter.model.report import Report
from exporter.report import encode
from exporter.web import tls
from exporter.web.sparing import Sparing
from exporter.web.status import Status

_LOG: Final = logging.getLogger(__name__)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Server": "kubevirt-upgrade-exporter",  # without the versions of everything in it
    "X-Content-Type-Options": "nosniff",
}


class Content(Protocol):
    """What there is to serve, from memory."""

    def metrics(self, encoding: negotiation.Encoding) -> bytes:
        """The metrics page as of now."""

    def reports(self) -> Sequence[Report]:
        """All sessions, oldest first."""

    def status(self) -> Status:
        """How the exporter itself is doing."""


class Page(Protocol):
    """Makes the page for people; `exporter.web.page` does."""

    def render(self, reports: Sequence[Report], status: Status) -> str:
        """The page as HTML."""

    def policy(self) -> str:
        """The Content-Security-Policy that goes with it."""


Gate = Callable[[web.Request], Awaitable[web.Response | None]]
"""Asked before each request is handled: None, or the answer to give instead; `exporter.web.auth.Gate` is one."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one client, and all of them together, may take."""

    connections: int = 64
    """Beyond it the oldest connection is closed: a scraper opens another, a thousand idle ones gain nothing."""
    idle_seconds: float = 75.0
    """For a request to arrive completely, and between two; longer than the usual scrape interval of a minute."""
    write_seconds: float = 30.0
    """For a client to take the answer."""
    line_bytes: int = 8190
    header_bytes: int = 8190
    """Of a single header."""
    headers: int = 64
    stop_seconds: float = 2.0
    """For answers under way when the server stops."""


@contextlib.asynccontextmanager
async def serving(
    content: Content,
    *,
    page: Page,
    address: str,
    certificate: tls.Certificate | None = None,
    gate: Gate | None = None,
    texts: Mapping[str, Callable[[], str]] = MappingProxyType({}),
    limits: Limits | None = None,
) -> AsyncIterator[int]:
    """Listen on `HOST:PORT`, `[V6]:PORT`, or `:PORT` for all addresses, and yield the port.

    `texts` are more paths, and what makes the plain text there.

    Raises UsageError: the address cannot be listened on.
    """
    limits = limits or Limits()
    runner = web.AppRunner(
        _Handlers(content, page=page, gate=gate, write_seconds=limits.write_seconds).application(texts),
        access_log=None,
        logger=_silent(),
        handler_cancellation=True,
        keepalive_timeout=limits.idle_seconds,
        lingering_time=0,
        auto_decompress=False,
        max_line_size=limits.line_bytes,
        max_field_size=limits.header_bytes,
        max_headers=limits.headers,
        shutdown_timeout=limits.stop_seconds,
    )
    await runner.setup()
    try:
        listening = _listen(address, answer_within=limits.write_seconds)
        port: int = listening.getsockname()[1]
        async with _accepting(listening, _acceptor(runner, limits.connections), certificate):
            _LOG.info("listening", extra={"address": address, "port": port})
            yield port
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _accepting(
    listening: socket.socket, accept: Callable[[], asyncio.Protocol], certificate: tls.Certificate | None
) -> AsyncIterator[None]:
    if certificate is not None:
        async with tls.accepting(listening, accept, certificate):
            yield
        return
    listener = await asyncio.get_running_loop().create_server(accept, sock=listening)
    try:
        yield
    finally:
        listener.close()


def _acceptor(runner: web.AppRunner, most: int) -> Callable[[], asyncio.Protocol]:
    """Makes room for each new connection by closing the oldest ones."""
    server = runner.server
    if server is None:
        raise RuntimeError("the runner is not set up")

    def accept() -> asyncio.Protocol:
        connections = server.connections
        for connection in connections[: max(0, len(connections) - most + 1)]:
            if connection.transport is not None:
                connection.transport.abort()
        return server()

    return accept


class _Handlers:
    def __init__(self, content: Content, *, page: Page, gate: Gate | None, write_seconds: float) -> None:
        self._content = content
        self._page = page
        self._gate = gate
        self._sparing = Sparing()
        self._write_seconds = write_seconds

    def application(self, texts: Mapping[str, Callable[[], str]]) -> web.Application:
        application = web.Application(middlewares=[self._answer])
        application.on_response_prepare.append(_add_headers)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/livez", self._livez)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/api/v1/upgrades", self._upgrades)
        application.router.add_get("/", self._home)
        for path, make in texts.items():
            application.router.add_get(path, _text(make))
        return application

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Send what the handler made, for as long as the client may take; a handler that fails is a 500 and a log."""
        try:
            refusal = await self._gate(request) if self._gate is not None else None
            response = refusal or await handler(request)
        except web.HTTPException:
            raise
        except Exception:  # noqa: BLE001 - the boundary between one request and all others
            _LOG.exception("request_failed", extra={"path": request.path})
            response = web.Response(status=500, text="500: Internal Server Error; the log says why\n")
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            # It goes out in pieces: TLS takes all of a body at once, and then nobody notices a client that does not.
            response.body = io.BytesIO(response.body)
        try:
            async with asyncio.timeout(self._write_seconds):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _metrics(self, request: web.Request) -> web.Response:
        encoding = negotiation.choose(request.headers.get("Accept", ""))
        compressed = negotiation.gzip_welcome(request.headers.get("Accept-Encoding", ""))
        headers = {"Content-Type": encoding.content_type, "Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=self._metrics_page(encoding, compressed=compressed), headers=headers)

    def _metrics_page(self, encoding: negotiation.Encoding, *, compressed: bool) -> bytes:
        def plain() -> bytes:
            return self._sparing.get(encoding.content_type, lambda: self._content.metrics(encoding))

        if not compressed:
            return plain()
        return self._sparing.get((encoding.content_type, "gzip"), lambda: negotiation.compress(plain()))

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        status = self._content.status()
        if status.stopping:
            return web.Response(status=503, text="stopping\n")
        if not status.ready:
            missing = [resource.resource for resource in status.resources if resource.sync is Sync.UNKNOWN]
            return web.Response(status=503, text=f"not listed yet: {', '.join(missing)}\n")
        return web.Response(text="ok\n")

    async def _upgrades(self, _: web.Request) -> web.Response:
        body = self._sparing.get("upgrades", lambda: encode.as_json(self._content.reports()))
        return web.Response(body=body, content_type="application/json")

    async def _home(self, _: web.Request) -> web.Response:
        body = self._sparing.get(
            "page", lambda: self._page.render(self._content.reports(), self._content.status()).encode()
        )
        headers = {"Content-Security-Policy": self._page.policy()}
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _text(make: Callable[[], str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text=make())

    return handler


def _listen(address: str, *, answer_within: float) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if int(port) > 0xFFFF:  # the resolver would take it modulo 65536
        raise errors.UsageError(f"cannot listen on {address}: there is no such port")
    try:
        listening = _bind(host, int(port))
    except OSError as error:
        raise errors.UsageError(f"cannot listen on {address}: {error.strerror}") from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Accepted sockets inherit it: the kernel drops a peer that takes nothing of what the transport still holds.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(answer_within * 1000))
    return listening


def _bind(host: str, port: int) -> socket.socket:
    if host:
        [(family, _, _, _, resolved), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(resolved[:2], family=family)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # compiled in, but switched off on this machine
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _silent() -> logging.Logger:
    """For aiohttp, which logs a traceback for each malformed request: whoever reaches the port could fill the disk."""
    logger = logging.Logger("exporter.web.refused")  # noqa: LOG001 - not in the hierarchy, on purpose
    logger.addHandler(logging.NullHandler())
    return logger
