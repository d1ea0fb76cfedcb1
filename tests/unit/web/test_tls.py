"""TLS over real sockets: renewed files, old protocols, and clients that never come to an end."""

import asyncio
import contextlib
import gc
import logging
import pathlib
import socket
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from exporter import errors
from exporter.web import server, tls
from tests.unit.web.serving import LIVE, Content, Page, ask

CA = trustme.CA()


class Files:
    """A certificate and its key, as a Secret is mounted: both files change at once, by a link."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._count = 0
        self.chain = folder / "current" / "tls.crt"
        self.key = folder / "current" / "tls.key"
        self.renew()

    def renew(self, *, key: bytes | None = None) -> trustme.LeafCert:
        """A new certificate takes the place of the old one; `key`: with this for a key."""
        issued = CA.issue_cert("localhost")
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        (folder / "tls.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        (folder / "tls.key").write_bytes(key if key is not None else issued.private_key_pem.bytes())
        link = self._folder / "next"
        link.symlink_to(folder)
        link.rename(self._folder / "current")
        return issued

    def certificate(self) -> tls.Certificate:
        return tls.Certificate(str(self.chain), str(self.key))


@pytest.fixture
def files(tmp_path: pathlib.Path) -> Files:
    return Files(tmp_path)


@contextlib.asynccontextmanager
async def served(
    files: Files, content: Content | None = None, limits: server.Limits | None = None
) -> AsyncIterator[int]:
    async with server.serving(
        content or Content(), page=Page(), address="127.0.0.1:0", certificate=files.certificate(), limits=limits
    ) as port:
        yield port


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


async def shown(port: int) -> bytes:
    """The certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(), server_hostname="localhost")
    binary: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return binary


def test_a_new_certificate_is_used_without_a_restart(files: Files) -> None:
    async def scenario() -> None:
        async with served(files) as port:
            before = await shown(port)
            assert await shown(port) == before
            files.renew()
            after = await shown(port)
            assert after != before
            assert b"200 OK" in await ask(port, LIVE, context=trusting())

    asyncio.run(scenario())


async def test_files_that_cannot_be_used_leave_the_old_certificate(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(files) as port:
        before = await shown(port)
        files.renew(key=b"not a key")
        assert await shown(port) == before
        assert await shown(port) == before
        files.chain.unlink()
        assert await shown(port) == before
        events = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
        assert events == ["certificate_not_renewed"] * 2, "once for each change, not for each connection"
        files.renew()
        assert await shown(port) != before


@pytest.mark.parametrize("protocol", ["TLSv1", "TLSv1_1"])
async def test_protocols_before_tls_1_2_are_refused(files: Files, protocol: str) -> None:
    context = trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion[protocol]
    async with served(files) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(port, LIVE, context=context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert b"200 OK" in await ask(port, LIVE, context=context)


async def test_plain_http_gets_no_answer_over_tls(files: Files) -> None:
    async with served(files) as port:
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in await ask(port, LIVE)
        assert b"200 OK" in await ask(port, LIVE, context=trusting())


def test_files_that_are_wrong_from_the_start_are_told_with_their_names(files: Files, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match=r"tls\.crt and .*missing: No such file"):
        tls.Certificate(str(files.chain), str(tmp_path / "missing"))
    files.renew(key=trustme.CA().issue_cert("localhost").private_key_pem.bytes())
    with pytest.raises(errors.UsageError, match="not a certificate with its key"):
        files.certificate()
    issued = files.renew()
    encrypted = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    files.renew(key=encrypted)
    with pytest.raises(errors.UsageError, match="the key is encrypted"):
        files.certificate()


# --- clients that are slow, many, or never end ---


async def test_handshakes_that_never_end_are_bounded_and_stop_nobody(files: Files) -> None:
    """Each costs memory as long as it lasts: beyond the limit the oldest is given up."""
    flood = tls.HANDSHAKES + 50
    async with served(files) as port:
        idle = [_connected(port) for _ in range(flood)]  # all at once: nothing else has run meanwhile
        assert b"200 OK" in await ask(port, LIVE, context=trusting())
        assert _protocols() <= tls.HANDSHAKES + 2  # both ends of the request above
        closed = [await _is_closed(connection) for connection in idle[: flood - tls.HANDSHAKES]]
        assert all(closed)
        assert not any([await _is_closed(connection) for connection in idle[-10:]])
        for connection in idle:
            connection.close()


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setblocking(False)  # noqa: FBT003 - it takes no keyword
    return connection


def _protocols() -> int:
    """Connections of this process that hold TLS buffers, 256 KB each, those of the tests themselves included."""
    return sum(isinstance(each, sslproto.SSLProtocol) for each in gc.get_objects())


async def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


async def test_a_broken_handshake_leaves_nothing_behind(files: Files) -> None:
    """Each has buffers of 256 KB. A port scanner must not cost more memory than one of them."""
    gc.collect()
    gc.disable()
    try:
        async with served(files) as port:
            for _ in range(20):
                _connected(port).close()
                with contextlib.suppress(OSError):
                    await ask(port, LIVE)
            assert b"200 OK" in await ask(port, LIVE, context=trusting())
            for _ in range(3):
                await asyncio.sleep(0.01)
            assert _protocols() <= 2  # both ends of the request above
    finally:
        gc.enable()


async def test_a_client_that_does_not_read_is_dropped(files: Files) -> None:
    content = Content()
    content.page = b"x" * 50_000_000
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n"
    async with served(files, content, server.Limits(write_seconds=0.2)) as port:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting(), server_hostname="localhost", limit=1000
        )
        writer.write(request)
        assert b"200 OK" in await ask(port, LIVE, context=trusting())
        await asyncio.sleep(0.5)  # the server's patience ends long before
        received = 0
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1000):
                received += len(chunk)
        assert received < len(content.page) / 2
        writer.close()


async def test_many_connections_cost_only_the_oldest(files: Files) -> None:
    async with served(files, limits=server.Limits(connections=3)) as port:
        idle = [
            await asyncio.open_connection("127.0.0.1", port, ssl=trusting(), server_hostname="localhost")
            for _ in range(6)
        ]
        assert b"200 OK" in await ask(port, LIVE, context=trusting())
        for reader, _ in idle[:3]:
            with contextlib.suppress(OSError):
                assert await reader.read() == b""
        for _, writer in idle:
            writer.close()


async def test_stopping_waits_neither_for_handshakes_nor_for_idle_clients(files: Files) -> None:
    async with asyncio.timeout(5):
        async with served(files) as port:
            silent = _connected(port)
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(), server_hostname="localhost")
        silent.close()
        writer.close()
