"""A recorded cluster watched by one process after the other: each is dropped without a farewell, and the next goes on.

The reports lie in a simulated API server, over HTTP. Time is that of the recording: nothing waits.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec
import yaml

from exporter import settings, sim
from exporter.fold import Fold
from exporter.journal import resuming
from exporter.journal.keeper import Keeper
from exporter.journal.resuming import Resumed
from exporter.journal.source import JournalSource
from exporter.journal.store import Reports
from exporter.kube import access
from exporter.kube.api import Api
from exporter.model import resources
from exporter.model.changes import Change, ListReplaced, ObjectChanged, ProbeFinished, TimePassed, deltas
from exporter.model.objects import Object
from exporter.model.report import Report
from exporter.model.store import Store
from exporter.recording.reader import Recording
from exporter.settings import Settings, Thresholds
from exporter.sim import dump
from tests.conftest import REPOSITORY

NAMESPACE = "kubevirt"
DEFINITION = REPOSITORY / "deploy" / "chart" / "crds" / "upgradereports.yaml"
SETTINGS = Settings(thresholds=Thresholds(settling=30.0))
"""The scenarios end 40 s after the last guest was updated."""


class Cluster:
    """An API server that knows UpgradeReports, and an administrator of it."""

    def __init__(self, api: Api, simulation: sim.Simulation) -> None:
        self.api = api
        self.simulation = simulation
        self.reports = Reports(api, NAMESPACE)

    async def clear(self) -> None:
        """Delete all reports."""
        for stored in await self.reports.read():
            await self.reports.delete(stored)


async def define(api: Api) -> None:
    """Serve UpgradeReports."""
    definition = yaml.load(DEFINITION.read_text(), yaml.CSafeLoader)
    await api.write("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)


@contextlib.asynccontextmanager
async def cluster(folder: pathlib.Path) -> AsyncIterator[Cluster]:
    simulation = sim.Simulation(sim.load("clean", guests=1))
    simulation.advance(1)
    await simulation.serve()
    try:
        kubeconfig = simulation.kubeconfig(folder / "kubeconfig")
        async with Api(await access.load(settings.Cluster(kubeconfig=str(kubeconfig))), deadline=10) as api:
            await define(api)
            yield Cluster(api, simulation)
    finally:
        await simulation.stop()


class Story(NamedTuple):
    """What there was to be learnt, in order, and when it ends."""

    changes: Sequence[Change]
    ends: float


def story(name: str, folder: pathlib.Path, *, quiet: float = 60.0) -> Story:
    """A simulated scenario as a watcher would have learnt it, and so many more seconds at its end."""
    path = folder / f"{name}.jsonl.gz"
    scenario = sim.load(name)
    ends = dataclasses.replace(scenario.ends, plus=scenario.ends.plus + quiet)
    dump.record(sim.Simulation(dataclasses.replace(scenario, ends=ends)), path)
    with Recording(path) as recording:
        return Story(tuple(recording.changes()), recording.ended)


class Kill(NamedTuple):
    """A process ends at a moment, and the next begins so many seconds later."""

    at: float
    down: float


def fold() -> Fold:
    return Fold(SETTINGS, exporter_version="test")


class Life:
    """One process: it restores what it finds, lists everything, follows the changes, and writes what is due."""

    def __init__(self, reports: Reports, clock: "Lives", *, interval: float = 10.0, most: int = 20) -> None:
        self.fold = fold()
        self.source = JournalSource()
        self.reports = reports
        self.keeper = Keeper(
            reports, self.fold, fold, source=self.source, now=lambda: clock.now, interval=interval, most=most
        )

    async def begin(self, known: dict[str, dict[str, Object]], listed: Sequence[str], at: float) -> Resumed:
        resumed = resuming.resume(await self.reports.read(), self.fold, fold, now=at)
        self.keeper.resumed(resumed)
        for name in listed:
            self.fold.feed(Store(name).replace(list(known[name].values()), at=at))
        return resumed

    async def beat(self, at: float) -> None:
        while (due := self.fold.deadline()) is not None and due <= at:
            self.fold.feed(TimePassed(at=due))
        await self.keeper.beat()


class Lives:
    """Plays a story with kills; afterwards `blind` has the seconds between what a life had written and the next one."""

    def __init__(self, reports: Reports) -> None:
        self.now = 0.0
        self.blind: list[tuple[float, float]] = []
        """Intervals in which nobody watched whose knowledge was kept."""
        self.life = Life(reports, self)
        self._reports = reports
        self._known: dict[str, dict[str, Object]] = {spec.name: {} for spec in resources.RESOURCES}
        self._listed: list[str] = []

    async def play(self, told: Story, kills: Sequence[Kill] = ()) -> Report:
        """The report in the cluster at the end."""
        self.now = told.changes[0].at
        await self.life.begin(self._known, (), self.now)
        pending = sorted(kills, reverse=True)
        awake: float | None = None  # when the next process begins
        beat = self.now
        for change in told.changes:
            while beat <= change.at:
                self.now = beat
                if awake is not None and beat >= awake:
                    await self._revive()
                    awake = None
                if pending and beat >= pending[-1].at:
                    awake = beat + pending.pop().down
                if awake is None:
                    await self.life.beat(beat)
                beat += 1.0
            self.now = change.at
            if awake is None:
                self.life.fold.feed(change)
            self._learn(change)
        self.now = told.ends
        await self.life.beat(told.ends)
        [stored] = await self._reports.read()
        assert stored.report is not None
        return stored.report

    def _learn(self, change: Change) -> None:
        if not isinstance(change, ObjectChanged | ListReplaced):
            return
        if change.resource not in self._listed:
            self._listed.append(change.resource)
        for delta in deltas(change):
            if delta.new is not None:
                self._known[change.resource][delta.new.key] = delta.new
            elif delta.old is not None:
                self._known[change.resource].pop(delta.old.key, None)

    async def _revive(self) -> None:
        self.life = Life(self._reports, self)
        resumed = await self.life.begin(self._known, self._listed, self.now)
        if resumed.name:
            state = msgspec.json.decode(resumed.state)
            self.blind.append((state["last"], self.now))


def without_probes(told: Story) -> Story:
    """Only what all observers share."""
    return Story([change for change in told.changes if not isinstance(change, ProbeFinished)], told.ends)
