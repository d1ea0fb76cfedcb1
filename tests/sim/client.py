"""A client of a simulated API server, for its tests: plain aiohttp, no code of the product."""

import asyncio
import contextlib
import json
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import trustme
import yarl

from exporter import sim
from exporter.sim.access import Access
from exporter.sim.scenario import Scenario, Step, When
from exporter.sim.world.world import ClusterSpec

JSON = dict[str, Any]

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kubevirt/leases"
VMS = "/apis/kubevirt.io/v1/virtualmachines"
VMIS = "/apis/kubevirt.io/v1/virtualmachineinstances"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


class Client:
    """Requests to one server; answers are status, headers and text."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def ask(
        self, path: str, *, method: str = "GET", body: object = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        target = yarl.URL(self.url + path, encoded=True)
        async with self.session.request(method, target, data=data, headers=named) as answer:
            return answer.status, await answer.text(), dict(answer.headers)

    async def get(self, path: str, **headers: str) -> JSON:
        status, text, _ = await self.ask(path, **headers)
        assert status == 200, text
        body: JSON = json.loads(text)
        return body

    async def error(self, path: str, *, method: str = "GET", body: object = None, **headers: str) -> JSON:
        """The Status of a request that is refused."""
        status, text, _ = await self.ask(path, method=method, body=body, **headers)
        content: JSON = json.loads(text)
        assert (content["kind"], content["status"], content["code"]) == ("Status", "Failure", status)
        return content

    @contextlib.asynccontextmanager
    async def watch(self, path: str, *, version: str = "", query: str = "") -> AsyncIterator["Stream"]:
        asked = f"{self.url}{path}?watch=1&resourceVersion={version}{query}"
        async with self.session.get(yarl.URL(asked, encoded=True), headers={"Accept": "application/json"}) as answer:
            yield Stream(answer)


class Stream:
    """The lines of a watch."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.status = answer.status
        self.answer = answer

    async def next(self) -> JSON | None:
        """The next event, or None at the end of the stream."""
        async with asyncio.timeout(10):
            line = await self.answer.content.readline()
        return json.loads(line) if line else None

    async def until(self, kind: str) -> list[JSON]:
        """All events up to the first of that type."""
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
            if event["type"] == kind:
                return events
        raise AssertionError(f"the stream ended without {kind}")

    async def rest(self) -> list[JSON]:
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events


@contextlib.asynccontextmanager
async def serving(
    *steps: Step,
    guests: int = 5,
    access: Access | None = None,
    bookmark_seconds: float = 30.0,
    tls_folder: pathlib.Path | None = None,
    spec: ClusterSpec | None = None,
) -> AsyncIterator[tuple[sim.Simulation, Client]]:
    """A stepped simulation of some guests, served, and a client of it; nothing is left behind."""
    cluster = spec or ClusterSpec(guests=guests, stranded=0)
    story = Scenario(name="test", about="", cluster=cluster, steps=steps, ends=When(at=3600))
    simulation = sim.Simulation(story, bookmark_seconds=bookmark_seconds)
    simulation.advance(1)
    server_tls = client_tls = None
    if tls_folder is not None:
        server_tls, client_tls = _tls()
    url = await simulation.serve(access=access, tls=server_tls)
    connector = aiohttp.TCPConnector(ssl=client_tls if client_tls is not None else True)
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            yield simulation, Client(url, session)
        finally:
            await simulation.stop()
    await asyncio.sleep(0.05 if tls_folder is not None else 0)  # aiohttp closes TLS connections a moment later


def _tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
