"""The whole way, with real servers: simulated clusters, a daemon each, Prometheus, Alertmanager, and whoever is paged.

Three upgrades, in a hurry: by image tag, with short leases, so that nobody waits for leaders. Every scenario, at the
pace that its alerts need: test_paging_live.py.
"""

import asyncio
import dataclasses
import pathlib
from typing import Any

from exporter import sim
from exporter.sim import scenario
from tests.end_to_end import alerted, fleet, monitoring

NAMES = ("clean", "guest-oom", "kubevirt-api-outage")
SPEED = 24.0
API_BUDGET = 0.5
"""Seconds: the first second without the API exhausts it."""
LEASE = 3
"""Seconds; holders renew every two."""
PATIENCE = 90.0
CALM = 2.0
"""Seconds in which nothing else may come after the end."""


def hurried(name: str) -> sim.Scenario:
    """The same, but virt-operator stays what it was."""
    story = sim.load(name)
    steps = tuple(
        dataclasses.replace(step, action=dataclasses.replace(step.action, by="image-tag"))
        if isinstance(step.action, scenario.Upgrade)
        else step
        for step in story.steps
    )
    return dataclasses.replace(story, steps=steps, cluster=dataclasses.replace(story.cluster, lease_seconds=LEASE))


async def test_clusters_page_for_what_happens_to_them_and_for_nothing_else(tmp_path: pathlib.Path) -> None:
    paging = fleet.paging([hurried(name) for name in NAMES], tmp_path, speed=SPEED, api_disruption=API_BUDGET)
    async with asyncio.timeout(PATIENCE), paging as running:
        while alerted.IN_PROGRESS not in running.notified()["clean"]:
            await running.pager.news()
        await alerts_of_a_quiet_cluster_are_held_back(running.alertmanager)
        await running.ended()
        await asyncio.sleep(CALM)
        notified = running.notified()
    assert notified == {name: alerted.notified(name) for name in NAMES}


async def alerts_of_a_quiet_cluster_are_held_back(alertmanager: monitoring.Server) -> None:
    """KubeVirt's own, in a cluster whose rollout moves; not in another."""
    name = "VirtHandlerDaemonSetRolloutFailing"
    alerts = [{"labels": {"alertname": name, "cluster": cluster}} for cluster in ("clean", "elsewhere")]
    await alertmanager.post("/api/v2/alerts", alerts)
    found: list[dict[str, Any]] = []
    while len(found) < len(alerts):
        await asyncio.sleep(fleet.TICK)
        found = await alertmanager.get("/api/v2/alerts", filter=f"alertname={name}")
    states = {alert["labels"]["cluster"]: alert["status"]["state"] for alert in found}
    assert states == {"clean": "suppressed", "elsewhere": "active"}
    over = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z"}
    await alertmanager.post("/api/v2/alerts", [alert | over for alert in alerts])
