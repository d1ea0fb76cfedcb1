"""A scenario in motion: a world, and (when started) an API server in front of it.

Two ways to run. Stepped: `advance` moves simulated time as far as it says, at once; nothing sleeps. Live: `start` lets
time run by itself, at `speed` simulated seconds a second, or, with a `pace`, in real time with everything that happens
shortened by it (timestamps are then those of the wall clock, which a daemon under demonstration reads, too).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

import yaml

from exporter.sim.access import Access
from exporter.sim.api.server import Server
from exporter.sim.faults import FaultTable
from exporter.sim.rules import Impossible, changes, states, stories
from exporter.sim.scenario import Scenario
from exporter.sim.truth import Truth
from exporter.sim.world import acting, beginning

DEFAULT_START = 1_795_000_000.0  # 2026-11-18T11:06:40Z: stepped runs begin here, so that they are always the same
_TICK_SECONDS = 0.05


class Simulation:
    """One run of a scenario. `start_at` is the simulated time of its beginning (None: now, for live runs).

    Raises `rules.Impossible` for a scenario that cannot happen, and, if `strict`, while it moves, for objects and
    changes that cannot be: for tests of the simulator itself.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: str = "1",
        start_at: float | None = DEFAULT_START,
        pace: float = 1.0,
        bookmark_seconds: float = 30.0,
        strict: bool = False,
    ) -> None:
        stories.check(scenario)
        self.scenario = scenario
        begins = time.time() if start_at is None else start_at
        self.world = beginning.begin(scenario.cluster, seed=seed, start=begins, pace=pace)
        self.cluster = self.world.cluster
        self._strict = strict
        if strict:
            changes.Guard(self.cluster.store)
        self._ending = acting.act(self.world, scenario)
        self._bookmark_seconds = bookmark_seconds
        self._server: Server | None = None
        self._clock: asyncio.Task[None] | None = None
        self._certificate: Path | None = None
        self.url = ""

    # -- time --------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self.world.now

    @property
    def elapsed(self) -> float:
        return self.world.now - self.world.engine.start

    @property
    def over(self) -> bool:
        """Whether the scenario has reached its end; the world would go on, though."""
        return self._ending.over

    @property
    def truth(self) -> Truth:
        return self.world.truth

    @property
    def faults(self) -> FaultTable:
        return self.world.faults

    def advance(self, seconds: float) -> None:
        """Move simulated time; everything that is due happens."""
        self.world.engine.advance(seconds)
        self.faults.expire()
        if self._strict and (problems := states.check(states.snapshot(self.cluster), now=self.now)):
            raise Impossible(problems)

    def run(self, *, step: float = 1.0) -> Truth:
        """Step until the scenario is over."""
        while not self.over:
            self.advance(step)
        return self.truth

    # -- the API server ----------------------------------------------------------------------------------------------

    @property
    def server(self) -> Server:
        """The API server of a started simulation. Raises `RuntimeError` before."""
        if self._server is None:
            msg = "the simulation serves nothing yet: call `serve` or `start` first"
            raise RuntimeError(msg)
        return self._server

    async def serve(self, *, port: int = 0, tls: ssl.SSLContext | None = None, access: Access | None = None) -> str:
        """Serve the API on loopback while the caller moves time; the URL of it."""
        self._server = Server(
            self.cluster, self.world, faults=self.faults, access=access,
            kubernetes=self.scenario.cluster.kubernetes, bookmark_seconds=self._bookmark_seconds,
        )  # fmt: skip
        self.url = await self._server.start(port=port, tls=tls)
        return self.url

    async def start(self, *, port: int = 0, tls: ssl.SSLContext | None = None, speed: float = 1.0) -> str:
        """Serve the API and let time run at `speed`; the URL of it.

        Clients may delete what the world works with: then that piece of work ends, and the world goes on.
        """
        self.world.engine.tolerant = True
        url = await self.serve(port=port, tls=tls)
        self._clock = asyncio.create_task(self._run_clock(speed), name="simulated time")
        return url

    async def stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._clock
        if self._server is not None:
            await self._server.stop()

    async def ended(self) -> None:
        """Wait until the scenario is over in a live run. Raises what stopped the simulated time, if anything did."""
        while not self.over:
            if self._clock is not None and self._clock.done():
                self._clock.result()
                return
            await asyncio.sleep(_TICK_SECONDS)

    async def _run_clock(self, speed: float) -> None:
        loop = asyncio.get_running_loop()
        real, simulated = loop.time(), self.now
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.world.engine.advance_to(simulated + (loop.time() - real) * speed)
            self.faults.expire()

    def kubeconfig(self, path: Path, *, certificate: Path | None = None) -> Path:
        """Write a kubeconfig for clients; `certificate` is what they have to trust with HTTPS."""
        cluster: dict[str, str] = {"server": self.url}
        if certificate is not None:
            cluster["certificate-authority"] = str(certificate)
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "simulated", "cluster": cluster}],
            "users": [{"name": "simulated", "user": {"token": "simulated"}}],
            "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "simulated"}}],
            "current-context": "simulated",
        }
        path.write_text(yaml.safe_dump(content))
        return path
