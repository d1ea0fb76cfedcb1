"""Simulated clusters with a daemon each, in one Prometheus, which tells them apart by a label, and one Alertmanager.

All scenarios run some times faster than usual. They begin together, when everything is up, however long that took. What
an alert says after the end of its scenario does not count: the world goes on then, and nobody has thought of that part.
"""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import json
import math
import os
import pathlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from exporter import sim
from exporter.demo import exposed
from tests.end_to_end import monitoring, pace
from tests.end_to_end.alerted import Alerted

TICK = 0.05
STARTING = 4
"""Daemons that start at a time: more would only wait for each other."""
NOTICED = 2.0
"""Seconds until Prometheus has scraped and evaluated what happens."""


@dataclasses.dataclass(kw_only=True, eq=False)
class Cluster:
    """A simulated cluster, and the address of the daemon that watches it."""

    name: str
    simulation: sim.Simulation
    daemon: str
    over: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Its scenario is."""
    ended: float = math.inf
    """When that was."""
    late: float = 0.0
    """Seconds that it lagged behind at most: much of it, and what it raises says more about this machine."""

    def advance(self, now: float) -> None:
        """Let time pass until now."""
        self.late = max(self.late, now - self.simulation.now - TICK)
        self.simulation.advance(max(0.0, now - self.simulation.now))
        if self.simulation.over and not self.over.is_set():
            self.ended = now
            self.over.set()


class Fleet(NamedTuple):
    """What runs."""

    clusters: Sequence[Cluster]
    alertmanager: monitoring.Server
    pager: monitoring.Pager

    async def ended(self) -> None:
        """Wait until all scenarios are over."""
        for cluster in self.clusters:
            await cluster.over.wait()

    def notified(self) -> dict[str, set[Alerted]]:
        """What the pager has heard of, by cluster."""
        ends = {cluster.name: cluster.ended for cluster in self.clusters}
        found: dict[str, set[Alerted]] = {name: set() for name in ends}
        for alert in self.pager.alerts():
            name, began = alert["labels"].get("cluster", ""), dt.datetime.fromisoformat(alert["startsAt"]).timestamp()
            if alert["status"] == "firing" and name in ends and began <= ends[name] + NOTICED:
                found[name].add(Alerted.of(alert["labels"]))
        return found

    @property
    def late(self) -> str:
        """For whoever wonders about a result."""
        return f"simulated time was late by up to {max(cluster.late for cluster in self.clusters):.1f} s"

    async def held_back(self) -> dict[str, set[Alerted]]:
        """What Alertmanager knows and keeps to itself, by cluster."""
        found: dict[str, set[Alerted]] = {cluster.name: set() for cluster in self.clusters}
        for alert in await self.alertmanager.get("/api/v2/alerts", active="false"):
            if alert["status"]["state"] == "suppressed" and alert["labels"].get("cluster", "") in found:
                found[alert["labels"]["cluster"]].add(Alerted.of(alert["labels"]))
        return found


@contextlib.asynccontextmanager
async def paging(
    scenarios: Sequence[sim.Scenario], folder: pathlib.Path, *, speed: float, api_disruption: float
) -> AsyncIterator[Fleet]:
    """The scenarios under way, each in the cluster of its name, and everything between them and the pager.

    `api_disruption` is that objective, in seconds: the one that cannot follow from the speed.
    """
    flags = [*pace.flags(speed), f"--objective-api-disruption={api_disruption:g}"]
    async with contextlib.AsyncExitStack() as stack:
        pager = await stack.enter_async_context(monitoring.paging())
        alertmanager = await stack.enter_async_context(monitoring.alertmanager(folder, routing(pager.url, speed)))
        clusters = await stack.enter_async_context(watched(scenarios, folder, speed, flags))
        configuration = scraping(clusters, alertmanager.address, folder, speed)
        await stack.enter_async_context(monitoring.prometheus(folder, configuration))
        await stack.enter_async_context(running(clusters))
        yield Fleet(clusters, alertmanager, pager)


# --- clusters ---


@contextlib.asynccontextmanager
async def watched(
    scenarios: Sequence[sim.Scenario], folder: pathlib.Path, speed: float, flags: Sequence[str]
) -> AsyncIterator[list[Cluster]]:
    """The clusters of scenarios that have not begun yet."""
    loop, turn, over = asyncio.get_running_loop(), asyncio.Semaphore(STARTING), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        coming = [loop.create_future() for _ in scenarios]
        for story, future in zip(scenarios, coming, strict=True):
            group.create_task(_watched(story, folder, speed, flags, turn=turn, up=future, over=over))
        try:
            yield [await future for future in coming]
        finally:
            over.set()


async def _watched(
    story: sim.Scenario,
    folder: pathlib.Path,
    speed: float,
    flags: Sequence[str],
    *,
    turn: asyncio.Semaphore,
    up: asyncio.Future[Cluster],
    over: asyncio.Event,
) -> None:
    simulation = sim.Simulation(story, start_at=None, pace=speed)
    await simulation.serve()
    try:
        async with contextlib.AsyncExitStack() as stack:
            async with turn:
                kubeconfig = simulation.kubeconfig(folder / f"{story.name}.kubeconfig")
                daemon = await stack.enter_async_context(
                    exposed.exporting(kubeconfig, port=0, flags=flags, environment=os.environ)
                )
            up.set_result(Cluster(name=story.name, simulation=simulation, daemon=daemon.address))
            await over.wait()
    finally:
        await simulation.stop()


@contextlib.asynccontextmanager
async def running(clusters: Sequence[Cluster]) -> AsyncIterator[None]:
    """Time passes in all of them."""
    for cluster in clusters:
        waited = time.time() - cluster.simulation.now
        cluster.simulation.world.engine.shift(waited)
        cluster.simulation.advance(waited)
    async with asyncio.TaskGroup() as group:
        clock = group.create_task(_time_passes(clusters))
        yield
        clock.cancel()


async def _time_passes(clusters: Sequence[Cluster]) -> None:
    while True:
        for cluster in clusters:
            cluster.advance(time.time())
        await asyncio.sleep(TICK)


# --- configurations ---


def scraping(clusters: Sequence[Cluster], alertmanager: str, folder: pathlib.Path, speed: float) -> dict[str, Any]:
    """For Prometheus: it scrapes and evaluates every second."""
    rules = folder / "rules.yaml"
    rules.write_text(json.dumps(pace.rules(speed)))  # JSON is YAML
    targets = [{"targets": [cluster.daemon], "labels": {"cluster": cluster.name}} for cluster in clusters]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "exporter", "honor_labels": True, "static_configs": targets}],
    }


def routing(url: str, speed: float) -> dict[str, Any]:
    """For Alertmanager: what we ship, but every receiver is the pager."""
    configuration = pace.alertmanager(speed)
    for receiver in configuration["receivers"]:
        receiver["webhook_configs"] = [{"url": url}]
    return configuration
