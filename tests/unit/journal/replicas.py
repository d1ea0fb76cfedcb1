"""Whole replicas (watcher, fold, journal, clock) in front of one simulated cluster, in free time.

How time is free: `tests.unit.probes.virtual`. A replica that is killed says no farewell. Each has connections of its
own to the API server.
"""

import asyncio
import contextlib
import pathlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Self

from exporter import settings, sim
from exporter.fold import Fold
from exporter.journal.journal import Journal, Surroundings
from exporter.journal.objects import Stored
from exporter.journal.source import Standing
from exporter.journal.store import Reports
from exporter.kube import access, reflector
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.kube.namespace import InstallNamespace
from exporter.kube.watcher import Watcher
from exporter.model import resources
from exporter.model.changes import TimePassed
from exporter.model.report import Report
from tests.unit.journal import lives
from tests.unit.journal.lives import NAMESPACE, SETTINGS
from tests.unit.probes import virtual

STEP: Final = 0.25
"""Seconds by which the simulated cluster moves at a time."""


class Stage:
    """The cluster, its clock, and an administrator."""

    def __init__(self, simulation: sim.Simulation, config: pathlib.Path, api: Api) -> None:
        self.simulation = simulation
        self.config = config
        self.api = api
        self.reports = Reports(api, NAMESPACE)

    def now(self) -> float:
        return virtual.EPOCH + asyncio.get_running_loop().time()

    async def one(self) -> Stored:
        [stored] = await self.reports.read()
        return stored

    async def until(self, holds: Callable[[], bool | Awaitable[bool]], *, within: float = 900.0) -> None:
        """Wait, in simulated seconds."""
        end = self.now() + within
        while True:
            answer = holds()
            if answer if isinstance(answer, bool) else await answer:
                return
            assert self.now() < end, "it does not come true"
            await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def stage(folder: pathlib.Path, scenario: str, *, define: bool = True) -> AsyncIterator[Stage]:
    simulation = sim.Simulation(sim.load(scenario), start_at=virtual.EPOCH)
    await simulation.serve()
    config = simulation.kubeconfig(folder / "kubeconfig")
    clock = asyncio.create_task(_run(simulation))
    try:
        async with Api(await access.load(settings.Cluster(kubeconfig=str(config))), deadline=10) as api:
            made = Stage(simulation, config, api)
            if define:
                await lives.define(made.api)
            yield made
    finally:
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)
        await simulation.stop()


async def _run(simulation: sim.Simulation) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(STEP)
        simulation.advance(virtual.EPOCH + loop.time() - simulation.now)


class Replica:
    """One exporter without a web server; use it as an async context manager, which ends it with a farewell."""

    def __init__(self, on: Stage, *, namespace: str = NAMESPACE, seed: int = 1) -> None:
        self._stage = on
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._namespace = InstallNamespace(namespace)
        self._rng = random.Random(seed)
        self.fold = self._new_fold()
        self.journal: Journal

    @staticmethod
    def _new_fold() -> Fold:
        return Fold(SETTINGS, exporter_version="test")

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        clock = Clock(wall=lambda: virtual.EPOCH + loop.time(), monotonic=loop.time)
        credentials = await access.load(settings.Cluster(kubeconfig=str(self._stage.config)))
        api = await self._stack.enter_async_context(Api(credentials, deadline=10))
        self.journal = Journal(
            self.fold,
            self._new_fold,
            Surroundings(api=api, namespace=self._namespace, clock=clock, rng=self._rng),
            limits=settings.Journal(),
            most=20,
        )
        watcher = Watcher(
            reflector.Surroundings(
                api=api,
                emit=self.journal.emit,
                watching=settings.Watching(),
                namespace=self._namespace,
                clock=clock,
                rng=self._rng,
            ),
            specs=[spec for spec in resources.RESOURCES if spec.deciding or spec.name == resources.CRDS],
        )
        for each in (watcher.run, self.journal.run, self._tick):
            self._tasks.append(asyncio.create_task(each()))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._tasks:
            await self._end()
            await self.journal.farewell()
            await self._stack.aclose()

    async def kill(self) -> None:
        """End without a farewell."""
        await self._end()
        await self._stack.aclose()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome
        self._tasks.clear()

    async def _tick(self) -> None:
        while True:
            now = self._stage.now()
            while (due := self.fold.deadline()) is not None and due <= now:
                self.fold.feed(TimePassed(at=due))
            await asyncio.sleep(1)

    @property
    def standing(self) -> Standing:
        return self.journal.source.standing

    @property
    def holds(self) -> bool:
        return self.journal.source.holder

    def report(self) -> Report:
        report = self.fold.current(self._stage.now())
        assert report is not None, "no session"
        return report
