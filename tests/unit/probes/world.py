"""A simulated cluster over TLS, the runner against it, and the accounting of what it finds; all on a free clock."""

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

import trustme

from exporter import settings, sim
from exporter.concerns.compatibility import Compatibility
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.model.changes import ProbeFinished, TimePassed
from exporter.model.report import ProbeReport
from exporter.probes import asking
from exporter.probes.runner import Runner
from exporter.probes.table import Probe, table
from exporter.settings import Settings
from exporter.sim.api.aggregated import Replica
from exporter.sim.api.server import Server
from exporter.sim.catalogue import Resource
from exporter.sim.refusals import JSON, Refusal
from exporter.sim.scenario import Scenario, When
from exporter.sim.world.world import ClusterSpec
from tests import builders as b
from tests.contract.proxy import Proxy
from tests.unit.concerns.streams import Stream
from tests.unit.probes.virtual import EPOCH

NAMESPACE = "team-a"
AUTHORITY = trustme.CA()
"""Keys cost time: one for all tests."""


class Backend:
    """The world behind the API server: two replicas of virt-api, one of which may be bad, or none; webhooks."""

    def __init__(self, world: sim.Simulation) -> None:
        self._world = world.world
        self.one_is_bad = False
        self.webhooks_down = False
        self.claims = ""
        """What all replicas say they are; empty for the truth."""
        self.refused = 0
        """Requests that the bad replica has got."""
        self._turn = 0

    def virt_api_replicas(self) -> Sequence[Replica]:
        self._turn += 1
        if self.one_is_bad and self._turn % 2:
            self.refused += 1
            raise Refusal(503, "ServiceUnavailable", "error trying to reach service: dial tcp: connection refused")
        replicas = self._world.virt_api_replicas()
        return [Replica(name=r.name, version=self.claims or r.version) for r in replicas]

    def admit(self, resource: Resource, verb: str, body: JSON) -> None:
        if self.webhooks_down:
            raise Refusal(500, "InternalError", 'Internal error occurred: failed calling webhook "x": no endpoints')


class Door(Proxy):
    """A proxy that can leave new connections without an answer to their TLS handshake."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.silent = False
        """New connections are accepted and get nothing."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            await reader.read(-1)  # until the client gives up
            return
        await super()._serve(reader, writer)


class Cluster:
    """The API server on loopback, reached through a door that can be closed and frozen."""

    def __init__(self) -> None:
        scenario = Scenario(name="still", about="", cluster=ClusterSpec(guests=1), steps=(), ends=When(at=1e9))
        self.simulation = sim.Simulation(scenario)
        self.backend = Backend(self.simulation)
        self.faults = self.simulation.faults
        self.server = Server(self.simulation.cluster, self.backend, faults=self.faults)

    @contextlib.asynccontextmanager
    async def serving(self, folder: pathlib.Path) -> AsyncIterator[Api]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("127.0.0.1").configure_cert(tls)
        url = await self.server.start(tls=tls)
        async with Door(int(url.rpartition(":")[2])) as self.door:
            self.simulation.url = f"https://127.0.0.1:{self.door.port}"
            authority = folder / "ca.crt"
            AUTHORITY.cert_pem.write_to_path(authority)
            file = self.simulation.kubeconfig(folder / "kubeconfig", certificate=authority)
            credentials = await access.load(settings.Cluster(kubeconfig=str(file)))
            async with asking.own_api(credentials) as api:
                yield api
            await asyncio.sleep(0.1)  # closed connections are noticed
        await self.server.stop()


class Watch:
    """A runner, and what the fold would say of its results."""

    def __init__(self, api: Api, probes: Sequence[Probe], *, eager: Callable[[], bool] = lambda: True) -> None:
        loop = asyncio.get_running_loop()
        self.clock = Clock(wall=lambda: EPOCH + loop.time(), monotonic=loop.time)
        self.results: list[ProbeFinished] = []
        self.runner = Runner(api, probes, eager=eager, emit=self.results.append, clock=self.clock)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.runner.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def report(self, probe: str, connection: str = "reused") -> ProbeReport:
        """A session's account of one probe, from all results so far."""
        stream = Stream(Compatibility(Settings()), now=EPOCH)
        stream.lists(b.kubevirt(), b.workload(b.API))
        stream.put(b.kubevirt(b.NEW, observed=b.OLD))
        for change in self.results:
            stream.say(change)
        stream.say(TimePassed(at=self.clock.now() + 60))
        probes = stream.concern.report(stream.now, stream.tracker).probes
        (found,) = [p for p in probes if (p.probe, p.connection) == (probe, connection)]
        return found


def probes(*names: str) -> tuple[Probe, ...]:
    """Rows of the table."""
    rows = {probe.name: probe for probe in table(namespace=NAMESPACE)}
    return tuple(rows[name] for name in names)
