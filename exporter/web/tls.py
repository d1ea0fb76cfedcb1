"""TLS for the web server: a certificate that is read again when its files change, and handshakes within bounds.

Not here: what is served, and to whom.
"""

import asyncio
import contextlib
import logging
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Final

from exporter import errors

HANDSHAKES: Final = 64
"""Under way at once; beyond it the oldest is given up. Each holds 300 KB, and who never ends one costs nobody more."""
HANDSHAKE_SECONDS: Final = 10.0
SHUTDOWN_SECONDS: Final = 2.0
"""For the client's side of the end of TLS."""
EXHAUSTED_PAUSE: Final = 1.0
"""Seconds without accepting when we have no more file descriptors."""

_LOG: Final = logging.getLogger(__name__)


class Certificate:
    """A certificate chain and its key, in PEM files. A Secret that is mounted changes both at once."""

    def __init__(self, chain: str, key: str) -> None:
        """Read the files. Raises UsageError: they cannot be used."""
        self._chain = chain
        self._key = key
        self._seen = self._state()
        try:
            self._context = self._read()
        except (OSError, ValueError) as error:
            raise errors.UsageError(f"no TLS with {chain} and {key}: {_why(error)}") from error

    def context(self) -> ssl.SSLContext:
        """For a new connection: what the files hold now, or what they held when they could last be used."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._context = self._read()
                _LOG.info("certificate_renewed", extra={"file": self._chain})
            except (OSError, ValueError) as error:
                _LOG.error("certificate_not_renewed", extra={"file": self._chain, "why": _why(error)})
        return self._context

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._chain, self._key, password=_no_password)
        return context

    def _state(self) -> tuple[object, ...]:
        """Differs when a file does, also where a link leads to another one."""
        found: list[object] = []
        for file in (self._chain, self._key):
            try:
                status = pathlib.Path(file).stat()
            except OSError as error:
                found.append(error.errno)
            else:
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)


@contextlib.asynccontextmanager
async def accepting(
    listening: socket.socket, accept: Callable[[], asyncio.Protocol], certificate: Certificate
) -> AsyncIterator[None]:
    """Accept connections and speak TLS on them until the block ends. `accept` makes the protocol of each.

    A server of asyncio would keep its first certificate, and allow any number of handshakes.
    """
    listening.setblocking(False)  # noqa: FBT003 - it takes no keyword
    task = asyncio.create_task(_accept_all(listening, accept, certificate), name="accept TLS")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        listening.close()


async def _accept_all(
    listening: socket.socket, accept: Callable[[], asyncio.Protocol], certificate: Certificate
) -> None:
    loop = asyncio.get_running_loop()
    handshakes: dict[asyncio.Task[None], None] = {}  # oldest first

    async def greet(connection: socket.socket) -> None:
        try:
            await loop.connect_accepted_socket(
                accept,
                connection,
                ssl=certificate.context(),
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except OSError as error:  # TLS errors and time-outs included: the client's affair
            # Its frames hold the connection's buffers, and would until a garbage collection.
            error.__traceback__ = None

    async with asyncio.TaskGroup() as group:
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                _LOG.warning("accept_failed", extra={"why": _why(error)})
                await asyncio.sleep(EXHAUSTED_PAUSE)
                continue
            if len(handshakes) >= HANDSHAKES:
                oldest = next(iter(handshakes))
                del handshakes[oldest]
                oldest.cancel()
            task = group.create_task(greet(connection), name="TLS handshake")
            handshakes[task] = None
            task.add_done_callback(lambda done: handshakes.pop(done, None))
            await asyncio.sleep(0)  # accepting does not wait while connections do: others have their turn here


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLError():
            return f"not a certificate with its key: {error.reason or error}"
        case OSError():
            return str(error.strerror or error)
        case _:
            return str(error)


def _no_password() -> str:
    """OpenSSL would ask the terminal."""
    raise ValueError("the key is encrypted")
