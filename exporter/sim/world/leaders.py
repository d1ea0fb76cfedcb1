"""Leader election by Lease: renewed every two seconds, never released, taken over when it has run out."""

from __future__ import annotations

from exporter.sim import times
from exporter.sim.truth import Handover
from exporter.sim.world.engine import Process, Steady
from exporter.sim.world.objects import workloads
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.world import ControlPod, World

LEASES = "leases.coordination.k8s.io"
_RENEW_SECONDS = 2.0


def election(world: World, component: str) -> Process:
    """Keep the Lease of `component` held by one of its pods, for ever."""
    renewed = world.now
    while True:
        holder = world.leader[component]
        while holder is not None and _alive(world, holder) and not _paralysed(world, component):
            renewed = world.now
            with world.cluster.edit(LEASES, component, NAMESPACE) as body:
                body["spec"]["renewTime"] = times.micros(renewed)
            yield Steady(_RENEW_SECONDS + world.random.uniform(0.0, 0.02))
        world.leader[component] = None
        yield Steady(max(0.0, renewed + world.spec.lease_seconds - world.now) + world.random.uniform(0.4, 2.4))
        while (successor := _successor(world, component)) is None:
            yield Steady(1.0)
        _hand_over(world, component, successor, renewed)


def _alive(world: World, pod: ControlPod) -> bool:
    return pod.started and not pod.terminating and world.pods.get(pod.name) is pod and pod.node not in world.lost_nodes


def _paralysed(world: World, component: str) -> bool:
    return world.now < world.leaderless_until.get(component, 0.0)


def _successor(world: World, component: str) -> ControlPod | None:
    """A running pod that takes the Lease: with `handover` via-old an old one where there is one, else a new one."""
    if _paralysed(world, component):
        return None
    release = world.templates[component]
    candidates = [pod for pod in world.of(component) if _alive(world, pod)]
    preferred = [pod for pod in candidates if (pod.release != release) == (world.spec.handover == "via-old")]
    choices = preferred or candidates
    return world.random.choice(choices) if choices else None


def _hand_over(world: World, component: str, successor: ControlPod, renewed: float) -> None:
    with world.cluster.edit(LEASES, component, NAMESPACE) as body:
        spec = body["spec"]
        old = spec["holderIdentity"]
        spec |= {"holderIdentity": successor.name, "acquireTime": times.micros(world.now),
                 "renewTime": times.micros(world.now)}  # fmt: skip
        spec["leaseTransitions"] += old != successor.name
    world.leader[component] = successor
    if old != successor.name:
        world.truth.handovers.append(
            Handover(
                lease=component, old=old, new=successor.name, version=successor.release.version, at=world.now,
                gap=world.now - renewed,
            )
        )  # fmt: skip
    if successor.release == world.templates[component]:
        name = "operator-leads" if component == workloads.OPERATOR else "controller-leads"
        world.milestone(name, successor.release)
    world.fire(world.leader_changed[component])
