"""The HTTP server over real sockets: what it answers, and that no client can take it away from the others."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Sequence

import aiohttp
import msgspec
import pytest

from exporter import errors
from exporter.exposition import negotiation
from exporter.kube.status import WatchStatus
from exporter.model.changes import Sync
from exporter.model.report import Report
from exporter.web import server
from exporter.web.status import Status
from tests.unit.report.examples import REPORT

PAGE = b"kubevirt_upgrade_guests 1\n"


class Content:
    """What a daemon would have to show, set by hand."""

    def __init__(self) -> None:
        self.page = PAGE
        self.asked: list[str] = []
        self.state = Status(version="1.2.3", now=2, started_at=1, ready=True, stopping=False, resources=())

    def metrics(self, encoding: negotiation.Encoding) -> bytes:
        self.asked.append(encoding.content_type)
        return self.page

    def reports(self) -> Sequence[Report]:
        return [REPORT]

    def status(self) -> Status:
        return self.state


class Page:
    def render(self, reports: Sequence[Report], status: Status) -> str:
        return f"<p>{len(reports)} é {status.version}"

    def policy(self) -> str:
        return "default-src 'none'"


@contextlib.asynccontextmanager
async def served(content: Content, limits: server.Limits | None = None) -> AsyncIterator[int]:
    async with server.serving(content, page=Page(), address="127.0.0.1:0", limits=limits) as port:
        yield port


@contextlib.asynccontextmanager
async def client(content: Content) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        served(content) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", auto_decompress=False) as session,
    ):
        yield session


async def test_metrics_come_in_the_format_the_scraper_takes() -> None:
    content = Content()
    async with client(content) as http:
        for accept, content_type in [
            ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
            (
                "application/openmetrics-text",
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            ),
        ]:
            headers = {"Accept": accept, "Accept-Encoding": "identity"}
            async with http.get("/metrics", headers=headers) as answer:
                assert answer.status == 200
                assert answer.headers["Content-Type"] == content_type
                assert "Content-Encoding" not in answer.headers
                assert await answer.read() == PAGE
            assert content.asked.pop() == content_type


async def test_metrics_are_compressed_for_those_who_take_it() -> None:
    async with client(Content()) as http, http.get("/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == PAGE


async def test_health_is_about_us() -> None:
    content = Content()
    content.state = msgspec.structs.replace(
        content.state,
        ready=False,
        resources=(
            WatchStatus(resource="pods", sync=Sync.UNKNOWN),
            WatchStatus(resource="nodes", sync=Sync.FORBIDDEN),
            WatchStatus(resource="vms", sync=Sync.UNKNOWN),
        ),
    )
    async with client(content) as http:
        assert await text(http, "/livez") == (200, "ok\n")
        assert await text(http, "/readyz") == (503, "not listed yet: pods, vms\n")
        content.state = msgspec.structs.replace(content.state, ready=True)
        assert await text(http, "/readyz") == (200, "ok\n")
        content.state = msgspec.structs.replace(content.state, stopping=True)
        assert await text(http, "/readyz") == (503, "stopping\n")
        assert await text(http, "/livez") == (200, "ok\n")


async def test_reports_are_a_json_list() -> None:
    async with client(Content()) as http, http.get("/api/v1/upgrades") as answer:
        assert answer.content_type == "application/json"
        [report] = json.loads(await answer.read())
    assert report["toVersion"] == REPORT.to_version


async def test_the_page_is_made_by_its_renderer() -> None:
    async with client(Content()) as http, http.get("/") as answer:
        assert answer.content_type == "text/html"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
        assert await answer.text() == "<p>1 é 1.2.3"


async def test_head_answers_like_get_without_a_body() -> None:
    async with client(Content()) as http:
        for path in ("/metrics", "/livez", "/readyz", "/api/v1/upgrades", "/"):
            async with http.get(path) as got, http.head(path) as head:
                assert head.status == got.status == 200
                assert head.headers["Content-Type"] == got.headers["Content-Type"]
                assert head.headers["Content-Length"] == got.headers["Content-Length"]
                assert await head.read() == b""


async def test_other_paths_and_methods_are_refused_in_plain_text() -> None:
    async with client(Content()) as http:
        async with http.get("/nothing", headers={"Accept": "text/html"}) as answer:
            assert (answer.status, answer.content_type) == (404, "text/plain")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Server"] == "kubevirt-upgrade-exporter"
        async with http.post("/metrics", data=b"x" * 1000) as answer:
            assert (answer.status, answer.content_type) == (405, "text/plain")
            assert answer.headers["Allow"] == "GET,HEAD"


async def test_a_failing_page_is_a_500_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    content = Content()
    del content.page
    async with client(content) as http:
        status, body = await text(http, "/metrics", Accept="text/html")
        assert status == 500
        assert "AttributeError" not in body
        assert await text(http, "/livez") == (200, "ok\n")
    assert "request_failed" in caplog.text
    assert "AttributeError" in caplog.text


async def text(http: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, str]:
    async with http.get(path, headers=headers) as answer:
        return answer.status, await answer.text()


# --- addresses ---


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", ":0"])
async def test_it_listens_where_it_is_told(address: str) -> None:
    async with server.serving(Content(), page=Page(), address=address) as port:
        assert b"200 OK" in await raw(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:0", "cannot listen on 192.0.2.1:0: "),
        ("127.0.0.1:99999", "there is no such port"),
    ],
)
async def test_an_address_that_is_not_ours_is_a_usage_error(address: str, reason: str) -> None:
    with pytest.raises(errors.UsageError, match=reason):
        async with server.serving(Content(), page=Page(), address=address):
            pass


async def test_a_port_in_use_is_a_usage_error() -> None:
    async with served(Content()) as port:
        with pytest.raises(errors.UsageError, match="in use"):
            async with server.serving(Content(), page=Page(), address=f"127.0.0.1:{port}"):
                pass


# --- clients that are slow, many, or too loud ---


async def raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


async def test_headers_beyond_the_limits_are_refused() -> None:
    async with served(Content()) as port:
        for flood in (
            b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: x\r\n" % n for n in range(100)) + b"\r\n",
            b"\x16\x03\x01 this is TLS\r\n\r\n",
        ):
            assert b" 400 " in (await raw(port, flood)).partition(b"\r\n")[0]
        assert b"200 OK" in await raw(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


async def test_a_body_is_not_waited_for() -> None:
    """The answer comes, and the connection ends, though most of the promised body never does."""
    async with served(Content()) as port:
        answer = await raw(port, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nx")
        assert b" 405 " in answer


async def test_a_client_that_does_not_read_is_dropped_and_does_not_stop_the_others() -> None:
    content = Content()
    content.page = b"x" * 50_000_000
    limits = server.Limits(write_seconds=0.2)
    async with served(content, limits) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n")
        assert b"200 OK" in await raw(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(0.5)  # the server's patience ends long before
        assert await taken(reader) < len(content.page)
        writer.close()


async def taken(reader: asyncio.StreamReader) -> int:
    """Bytes that came before the connection ended."""
    received = 0
    with contextlib.suppress(ConnectionResetError):
        while chunk := await reader.read(1000):
            received += len(chunk)
    return received


async def test_idle_connections_are_closed() -> None:
    """Also those on which a request began and never came to its end."""
    async with served(Content(), server.Limits(idle_seconds=0.1)) as port:
        for begun in (b"", b"GET /livez HTTP/1.1\r\nHost:"):
            assert await raw(port, begun) == b""


async def test_many_connections_cost_only_the_oldest() -> None:
    limits = server.Limits(connections=3)
    async with served(Content(), limits) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        assert b"200 OK" in await raw(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        gone = 0
        for reader, writer in idle[:-3]:
            try:
                gone += await reader.read() == b""
            except ConnectionResetError:
                gone += 1
            writer.close()
        assert gone == 7
        for _, writer in idle[-3:]:
            writer.close()


async def test_stopping_does_not_wait_for_idle_clients() -> None:
    async with asyncio.timeout(5):
        async with served(Content()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"ok\n")
        assert await reader.read() == b""
        writer.close()


async def test_texts_of_other_parts_have_paths_of_their_own() -> None:
    async with (
        server.serving(Content(), page=Page(), address="127.0.0.1:0", texts={"/debug/x": lambda: "made now\n"}) as port,
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/debug/x") as answer,
    ):
        assert (answer.status, answer.content_type, await answer.text()) == (200, "text/plain", "made now\n")
