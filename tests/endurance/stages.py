"""Where a story is told: to the simulator, and to a real API server into which it is poured. Both faster than life."""

import asyncio
import bisect
import contextlib
import dataclasses
import json
import math
import pathlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import yaml
import yarl

from exporter import sim
from exporter.journal.store import Reports
from exporter.kube.api import Api
from exporter.sim import dump
from tests.conftest import REPOSITORY
from tests.contract.subjects import kubeconfig
from tests.end_to_end.pour import Pour
from tests.end_to_end.test_real_apiserver import account
from tests.end_to_end.test_restart import admin, define, moving
from tests.endurance.gate import Gate
from tests.real_apiserver import ADMIN, RealApiServer

PACE = 8.0
"""So much shorter than life is a story."""
LEASE_SECONDS = 3
"""Of KubeVirt's Leases, which no pace shortens."""
QUIET = 60.0
"""Seconds in which the cluster lives on when all has been told."""
NAMESPACE = "kubevirt"
OWN_DEFINITION = REPOSITORY / "deploy" / "chart" / "crds" / "upgradereports.yaml"


class Story(NamedTuple):
    """A scenario, and what is known of it beforehand, in seconds after its beginning."""

    scenario: sim.Scenario
    length: float
    losses: tuple[float, ...]


def story(name: str) -> Story:
    scenario = sim.load(name)
    cluster = dataclasses.replace(scenario.cluster, lease_seconds=LEASE_SECONDS)
    scenario = dataclasses.replace(scenario, cluster=cluster)
    rehearsal = sim.Simulation(scenario, pace=PACE)
    truth = rehearsal.run(step=0.25)
    start = rehearsal.now - rehearsal.elapsed
    ends = dataclasses.replace(scenario.ends, plus=scenario.ends.plus + QUIET * PACE)
    losses = tuple(loss.at - start for loss in truth.interruptions)
    return Story(dataclasses.replace(scenario, ends=ends), rehearsal.elapsed, losses)


class Stage:
    """An API server to which a story is told, once.

    `config` is for daemons, through the `gate`; `reports` are an administrator's, past it.
    """

    def __init__(
        self,
        api: Api,
        config: pathlib.Path,
        gate: Gate,
        tell: Callable[[], Awaitable[None]],
        lags: Sequence[tuple[float, float]] = (),
    ) -> None:
        """`lags`: moments, in Unix seconds, and by how many seconds the story was late then."""
        self.reports = Reports(api, NAMESPACE)
        self.config = config
        self.gate = gate
        self._tell = tell
        self._lags = lags
        self.begun = 0.0
        """When the story began, in Unix seconds."""

    @property
    def now(self) -> float:
        """Seconds since the story began."""
        return time.time() - self.begun

    def in_story(self, at: float) -> float:
        """The story's own second, of a moment in Unix seconds."""
        place = bisect.bisect_right(self._lags, (at, math.inf))
        return at - self.begun - (self._lags[place - 1][1] if place else 0.0)

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Let the story take its course."""
        self.begun = time.time()
        telling = asyncio.ensure_future(self._tell())
        try:
            yield
            assert not telling.done() or telling.exception() is None
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


class Theatre(Protocol):
    """Makes stages; `folder` is for the files of one of them."""

    def __call__(self, told: Story, folder: pathlib.Path) -> contextlib.AbstractAsyncContextManager[Stage]: ...


@contextlib.asynccontextmanager
async def simulated(told: Story, folder: pathlib.Path) -> AsyncIterator[Stage]:
    simulation = sim.Simulation(told.scenario, start_at=None, pace=PACE)
    await simulation.serve()

    async def tell() -> None:
        async with moving(simulation):
            await asyncio.Event().wait()

    try:
        simulation.kubeconfig(folder / "admin")
        async with admin(folder / "admin") as api, Gate(yarl.URL(simulation.url).port or 0) as gate:
            await define(api, yaml.safe_load(OWN_DEFINITION.read_text()))
            config = folder / "daemon"
            config.write_text(
                json.dumps(kubeconfig({"server": f"http://127.0.0.1:{gate.port}"}, {"token": "simulated"}))
            )
            yield Stage(api, config, gate, tell)
    finally:
        await simulation.stop()


@contextlib.asynccontextmanager
async def real(told: Story, folder: pathlib.Path, assets: pathlib.Path) -> AsyncIterator[Stage]:
    """The daemons have the permissions that we ship."""
    recording = folder / "story.jsonl.gz"
    dump.record(sim.Simulation(told.scenario, pace=PACE), recording, step=0.25, probes=False)
    with RealApiServer(assets, folder) as server:
        credentials = {"server": server.url, "certificate-authority": str(server.ca_file)}
        (folder / "admin").write_text(json.dumps(kubeconfig(credentials, {"token": ADMIN})))
        tls = ssl.create_default_context(cafile=str(server.ca_file))
        async with admin(folder / "admin") as api, Gate(server.port, tls) as gate:
            await define(api, yaml.safe_load(OWN_DEFINITION.read_text()))
            pour = Pour(api, recording, speed=1.0)
            await pour.lists()
            config, token = folder / "daemon", await account(api)
            config.write_text(json.dumps(kubeconfig({"server": f"http://127.0.0.1:{gate.port}"}, {"token": token})))
            yield Stage(api, config, gate, pour.stream, pour.lags)
