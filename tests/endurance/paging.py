"""The whole way for every scenario of the simulator, with real servers: whoever is paged hears exactly what it names.

Simulated clusters, a daemon each, one Prometheus, one Alertmanager, a webhook; rules, routes and inhibition as we ship
them, but eight times faster, as the upgrades are. Of what the simulator never shortens, two things are shortened here.
That 16 to 18 s without a leader are no gap, and all else at the pace of real upgrades: test_paging_scenarios.py.
"""

import asyncio
import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from exporter import sim
from exporter.sim import scenario
from tests.end_to_end import alerted, fleet, monitoring

SPEED = 8.0
LEASE = 3
"""Seconds; holders renew every two. Else an upgrade would wait as long for its leaders as for everything else."""
AWAY = 10.0
"""Seconds without the cluster's API; leaders give up after so many. With 25, heartbeats would be old after it."""
API_BUDGET = 6.0
"""Seconds. The one in which an API goes away is less than a quarter of it; and an outage that goes on has used it up
before the alert about a quarter has waited long enough."""
DEADLINE = 360.0
"""Seconds, against hanging; it takes less than 240 on two cores."""
CALM = 17.0
"""Seconds in which nothing else may come after the end: Alertmanager waits up to 15 with what joins a group."""

Alerts = Mapping[str, set[alerted.Alerted]]


def shortened(name: str) -> sim.Scenario:
    story = sim.load(name)
    steps = tuple(
        dataclasses.replace(step, action=dataclasses.replace(step.action, seconds=AWAY))
        if isinstance(step.action, scenario.StopApi) and step.action.what == "cluster-api"
        else step
        for step in story.steps
    )
    return dataclasses.replace(story, steps=steps, cluster=dataclasses.replace(story.cluster, lease_seconds=LEASE))


@pytest.mark.timeout(DEADLINE + 60)
async def test_every_scenario_pages_for_what_it_names_and_for_nothing_else(tmp_path: pathlib.Path) -> None:
    scenarios = [shortened(name) for name in sim.names()]
    paging = fleet.paging(scenarios, tmp_path, speed=SPEED, api_disruption=API_BUDGET)
    async with asyncio.timeout(DEADLINE), paging as running:
        while alerted.IN_PROGRESS not in running.notified()["clean"]:
            await running.pager.news()
        await alerts_of_a_quiet_cluster_are_held_back(running.alertmanager)
        await running.ended()
        await asyncio.sleep(CALM)
        notified, held_back = running.notified(), await running.held_back()
    assert differences(notified, {name: alerted.notified(name) for name in sim.names()}) == {}, running.late
    assert held_back == {name: alerted.raised(name) - alerted.notified(name) for name in sim.names()}, running.late


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


def differences(found: Alerts, expected: Alerts) -> Alerts:
    """What is missing, and what is too much, by scenario."""
    return {name: found[name] ^ alerts for name, alerts in expected.items() if found[name] != alerts}
