"""Requests: deadlines, errors and their reasons, credentials that change on the way."""

import asyncio
import contextlib
import errno
import json
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import trustme
from aiohttp import web

from exporter import errors
from exporter.kube import failures
from exporter.kube.access import Access, InCluster
from exporter.kube.api import Api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Cluster:
    """A TLS server with one handler, and the folder of a service account for it."""

    def __init__(self, folder: pathlib.Path, handler: Handler) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "ca.crt")
        self.token("first")
        self.peers: list[str] = []
        """Names in the certificates of clients."""
        self.connections: set[object] = set()
        self._handler = handler
        self.port = 0

    def token(self, text: str) -> None:
        (self.folder / "token").write_text(text)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        self.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        runner = web.ServerRunner(web.Server(self._answer, handler_cancellation=True))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        self.peers += [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
        self.connections.add(request.protocol)
        return await self._handler(request)  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def api(self, *, deadline: float = 5.0, time: Callable[[], float] = lambda: 0.0) -> AsyncIterator[Api]:
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}
        access = Access(InCluster(environment=environment, folder=self.folder), monotonic=time)
        await access.load()
        async with Api(access, deadline=deadline) as api:
            yield api


async def say(request: web.Request) -> web.Response:
    """Answers with what was asked."""
    body = (await request.read()).decode()
    return web.json_response({"method": request.method, "path": str(request.rel_url), "body": body})


async def fails(awaitable: Awaitable[object]) -> errors.ApiError:
    with pytest.raises(errors.ApiError) as caught:
        await awaitable
    return caught.value


async def read(api: Api) -> bytes:
    """All of a watch."""
    text = b""
    async with api.watch("/w", {"watch": "1"}) as stream:
        while chunk := await stream.read():
            text += chunk
    return text


# --- requests


async def test_get_gives_the_body(tmp_path: pathlib.Path) -> None:
    cluster = Cluster(tmp_path, say)
    async with cluster.serve(), cluster.api() as api:
        body = json.loads(await api.get("/a/b", {"labelSelector": "a,b!=c", "continue": "x+/="}))
    assert body["path"] == "/a/b?labelSelector=a,b!%3Dc&continue=x%2B/%3D"


async def test_request_gives_any_answer(tmp_path: pathlib.Path) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "1"}, body=await request.read())

    cluster = Cluster(tmp_path, refuse)
    async with cluster.serve(), cluster.api() as api:
        response = await api.request("POST", "/x", body=b"{}", headers={"Content-Type": "application/json"})
    assert (response.status, response.headers["retry-after"], response.body) == (503, "1", b"{}")


async def test_connections_are_kept_unless_a_new_one_is_asked_for(tmp_path: pathlib.Path) -> None:
    cluster = Cluster(tmp_path, say)
    async with cluster.serve(), cluster.api() as api:
        for _ in range(3):
            await api.get("/x")
        assert len(cluster.connections) == 1
        for _ in range(2):
            await api.request("GET", "/x", reuse=False)
        assert len(cluster.connections) == 3


async def test_long_refusal_is_not_read_whole(tmp_path: pathlib.Path) -> None:
    async def rant(_: web.Request) -> web.Response:
        return web.Response(status=500, text="no " * 100_000)

    cluster = Cluster(tmp_path, rant)
    async with cluster.serve(), cluster.api() as api:
        assert len(str(await fails(api.get("/x")))) < 250


# --- credentials on the way


async def test_refused_token_is_replaced_and_the_request_repeated(tmp_path: pathlib.Path) -> None:
    seen: list[str] = []

    async def check(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=200 if seen[-1] == "bearer second" else 401)

    cluster, now = Cluster(tmp_path, check), [0.0]
    async with cluster.serve(), cluster.api(time=lambda: now[0]) as api:
        cluster.token("second")
        assert isinstance(await fails(api.get("/x")), errors.Forbidden)
        now[0] = 10
        await api.get("/x")
        assert seen == ["bearer first", "bearer first", "bearer second"]
        assert await read(api) == b""


async def test_replaced_client_certificate_is_used_for_new_connections(tmp_path: pathlib.Path) -> None:
    cluster, now = Cluster(tmp_path, say), [0.0]

    def certificate(name: str) -> None:
        issued = cluster.authority.issue_cert("c.invalid", common_name=name)
        issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")

    async with cluster.serve(), cluster.api(time=lambda: now[0]) as api:
        configuration = api.access.configuration
        configuration.cert_file = configuration.key_file = str(tmp_path / "client.pem")
        for name in ("one", "two"):
            certificate(name)
            now[0] += 100
            await api.request("GET", "/x", reuse=False)
    assert cluster.peers == ["one", "two"]


# --- what goes wrong


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    raise AssertionError


async def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def break_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"items": [')
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.mark.parametrize(
    ("handler", "reason"),
    [(hang, "timeout"), (reset, "reset"), (break_off, "reset")],
    ids=["hang", "reset", "cut"],
)
async def test_request_without_an_answer_may_be_tried_again(
    tmp_path: pathlib.Path, handler: Handler, reason: str
) -> None:
    cluster = Cluster(tmp_path, handler)
    async with cluster.serve(), cluster.api(deadline=0.3) as api:
        for attempt in (api.get("/x"), read(api)):
            error = await fails(attempt)
            assert isinstance(error, errors.Retry)
            assert (error.reason, error.after) == (reason, None)
            assert error.__cause__ is not None


async def test_server_that_is_not_there(tmp_path: pathlib.Path) -> None:
    cluster = Cluster(tmp_path, say)
    with socket.create_server(("127.0.0.1", 0)) as free:
        cluster.port = free.getsockname()[1]
    async with cluster.api() as api:
        assert (await fails(api.get("/x"))).reason == "connect"


async def test_server_of_another_authority(tmp_path: pathlib.Path) -> None:
    cluster = Cluster(tmp_path, say)
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    async with cluster.serve(), cluster.api() as api:
        assert (await fails(api.get("/x"))).reason == "tls"


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (401, errors.Forbidden, "forbidden"),
        (403, errors.Forbidden, "forbidden"),
        (404, errors.Absent, "absent"),
        (410, errors.Gone, "gone"),
        (429, errors.Retry, "http_429"),
        (500, errors.Retry, "http_5xx"),
        (504, errors.Retry, "http_5xx"),
        (400, errors.ApiError, "http_4xx"),
        (301, errors.ApiError, "other"),
    ],
)
async def test_status_names_the_reaction(
    tmp_path: pathlib.Path, status: int, kind: type[errors.ApiError], reason: str
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "message": "because"}, status=status)

    cluster = Cluster(tmp_path, refuse)
    async with cluster.serve(), cluster.api() as api:
        for attempt in (api.get("/x"), read(api)):
            error = await fails(attempt)
            assert type(error) is kind
            assert (error.reason, str(error)) == (reason, f"HTTP {status}: because")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "timeout"),
        (aiohttp.ServerTimeoutError(), "timeout"),
        (aiohttp.ServerDisconnectedError(), "reset"),
        (aiohttp.ClientPayloadError(), "reset"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (ConnectionRefusedError(), "connect"),
        (ssl.SSLError(), "tls"),
        (OSError(errno.EMFILE, "too many open files"), "client"),
        (aiohttp.InvalidURL("x"), "other"),
    ],
    ids=repr,
)
def test_reason_of_an_exception(error: Exception, reason: str) -> None:
    assert failures.reason(error) == reason


async def test_a_proxy_that_the_environment_names_is_used_unless_the_server_is_excepted(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
    monkeypatch.setenv("no_proxy", "")
    cluster = Cluster(tmp_path, say)
    async with cluster.serve():
        async with cluster.api() as api:
            assert (await fails(api.get("/x"))).reason == "connect"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with cluster.api() as api:
            assert await api.get("/x")
