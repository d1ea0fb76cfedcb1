"""The whole way, with real servers: simulated clusters, a daemon each, Prometheus, Alertmanager, and whoever is paged.

Upgrades run sixteen times faster than usual, so delays and budgets are smaller; they begin by image tag, so that nobody
waits for virt-operator's next leader. Prometheus scrapes and evaluates every second, and tells the clusters apart by a
label. Alertmanager has the configuration that we ship. All scenarios, at their own pace: test_paging_scenarios.py.
"""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from alerts.src import files
from exporter import sim
from exporter.demo import exposed
from exporter.sim import scenario
from tests.conftest import REPOSITORY
from tests.end_to_end import monitoring

PACE = 16.0
FLAGS = ["--judgement-delay=6", "--objective-api-disruption=0.5"]
TICK = 0.05
PATIENCE = 90.0
"""Seconds until all pages must have come."""
CALM = 2.0
"""Seconds in which nothing else may come after them."""

PAGES = {
    "clean": set[str](),
    "guest-oom": {"KubeVirtUpgradeGuestInterrupted"},
    "kubevirt-api-outage": {"KubeVirtUpgradeApiBudgetExhausted"},
}
"""What wakes somebody, by cluster. The verdict that follows from it is held back."""
INFORMATION = {"KubeVirtUpgradeInProgress"}


async def test_clusters_page_for_what_happens_to_them_and_for_nothing_else(tmp_path: pathlib.Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        pager = await stack.enter_async_context(monitoring.paging())
        alertmanager = await stack.enter_async_context(monitoring.alertmanager(tmp_path, routing(pager.url)))
        clusters = [await stack.enter_async_context(watched(name, tmp_path)) for name in PAGES]
        configuration = scraping(clusters, alertmanager.address)
        await stack.enter_async_context(monitoring.prometheus(tmp_path, configuration))
        await stack.enter_async_context(running([cluster.simulation for cluster in clusters]))
        async with asyncio.timeout(PATIENCE):
            await until(pager, dict.fromkeys(PAGES, INFORMATION))
            await alerts_of_a_quiet_cluster_are_held_back(alertmanager)
            await until(pager, expected := {name: pages | INFORMATION for name, pages in PAGES.items()})
        await asyncio.sleep(CALM)
        assert received(pager) == expected


async def alerts_of_a_quiet_cluster_are_held_back(alertmanager: monitoring.Server) -> None:
    """KubeVirt's own, in a cluster whose rollout moves; not in another."""
    name = "VirtHandlerDaemonSetRolloutFailing"
    alerts = [{"labels": {"alertname": name, "cluster": cluster}} for cluster in ("clean", "elsewhere")]
    await alertmanager.post("/api/v2/alerts", alerts)
    found: list[dict[str, Any]] = []
    while len(found) < len(alerts):
        await asyncio.sleep(TICK)
        found = await alertmanager.get("/api/v2/alerts", filter=f"alertname={name}")
    states = {alert["labels"]["cluster"]: alert["status"]["state"] for alert in found}
    assert states == {"clean": "suppressed", "elsewhere": "active"}
    over = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z"}
    await alertmanager.post("/api/v2/alerts", [alert | over for alert in alerts])


async def until(pager: monitoring.Pager, expected: Mapping[str, set[str]]) -> None:
    """Wait until these alerts have fired, by cluster; more may have."""
    while any(alerts - received(pager)[cluster] for cluster, alerts in expected.items()):
        await pager.news()


def received(pager: monitoring.Pager) -> dict[str, set[str]]:
    """Names of alerts that ever fired in the clusters that we know."""
    found: dict[str, set[str]] = {name: set() for name in PAGES}
    for alert in pager.alerts():
        if alert["status"] == "firing" and alert["labels"]["cluster"] in found:
            found[alert["labels"]["cluster"]].add(alert["labels"]["alertname"])
    return found


# --- clusters ---


class Cluster(NamedTuple):
    """A simulated cluster, and the address of the daemon that watches it."""

    name: str
    simulation: sim.Simulation
    daemon: str


@contextlib.asynccontextmanager
async def watched(name: str, folder: pathlib.Path) -> AsyncIterator[Cluster]:
    """The cluster of a scenario that has not begun yet."""
    simulation = sim.Simulation(by_image_tag(sim.load(name)), start_at=None, pace=PACE)
    await simulation.serve()
    try:
        async with exposed.exporting(
            simulation.kubeconfig(folder / f"{name}.kubeconfig"), port=0, flags=FLAGS, environment=os.environ
        ) as daemon:
            yield Cluster(name, simulation, daemon.address)
    finally:
        await simulation.stop()


@contextlib.asynccontextmanager
async def running(simulations: Sequence[sim.Simulation]) -> AsyncIterator[None]:
    """All scenarios begin now, however long it took to start everything."""
    for simulation in simulations:
        simulation.world.engine.shift(time.time() - simulation.now)
    clock = asyncio.create_task(_time_passes(simulations))
    try:
        yield
    finally:
        clock.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await clock


async def _time_passes(simulations: Sequence[sim.Simulation]) -> None:
    while True:
        for simulation in simulations:
            simulation.advance(max(0.0, time.time() - simulation.now))
        await asyncio.sleep(TICK)


def by_image_tag(story: sim.Scenario) -> sim.Scenario:
    """The same, but virt-operator stays what it was."""
    steps = tuple(
        dataclasses.replace(step, action=dataclasses.replace(step.action, by="image-tag"))
        if isinstance(step.action, scenario.Upgrade)
        else step
        for step in story.steps
    )
    return dataclasses.replace(story, steps=steps)


# --- configurations ---


def scraping(clusters: Sequence[Cluster], alertmanager: str) -> dict[str, Any]:
    """For Prometheus."""
    targets = [{"targets": [cluster.daemon], "labels": {"cluster": cluster.name}} for cluster in clusters]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(REPOSITORY / name) for name in (files.UPGRADE, files.OBJECTIVES)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "exporter", "honor_labels": True, "static_configs": targets}],
    }


def routing(url: str) -> dict[str, Any]:
    """For Alertmanager: what we ship, but every receiver is the pager, and waits are seconds."""
    configuration: dict[str, Any] = yaml.safe_load((REPOSITORY / "alerts" / "alertmanager.yaml").read_text())
    for receiver in configuration["receivers"]:
        receiver["webhook_configs"] = [{"url": url}]
    [ours] = configuration["route"]["routes"]
    ours |= {"group_wait": "2s", "group_interval": "1s"}
    return configuration
