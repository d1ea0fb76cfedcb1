"""Whether virt-handler lives on every node with guests.

KubeVirt gives up a guest without a living launcher on a node whose virt-handler has not been heard of for 5 minutes; a
rollout waits for virt-handlers that never become ready.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from exporter.preflight.base import Said, count, fails, named, passes, unknown, warns
from exporter.preflight.world import World

LATE: Final = 180.0
"""Seconds since the last heartbeat; virt-handler writes one every 1 to 2.2 min."""


def check(world: World) -> Iterator[Said]:
    """One finding, and one more where heartbeats are missing."""
    guests = Counter(vmi.node for vmi in world.guests if vmi.phase == "Running")
    handler = world.components.get("virt-handler")
    served = {pod.node for pod in handler.pods.values() if pod.ready} if handler is not None else set()
    stale: list[str] = []
    silent: list[str] = []
    closed: list[str] = []
    seen = 0
    for node in sorted(world.nodes, key=lambda node: node.name):
        if node.kubevirt_schedulable is None and not guests[node.name]:
            continue
        seen += 1
        here = count(guests[node.name], "guest")
        if guests[node.name] and node.name not in served:
            stale.append(f"{node.name}: no ready virt-handler, {here}")
        elif node.heartbeat is None:
            silent.append(f"{node.name}: no readable annotation kubevirt.io/heartbeat, {here}")
        elif world.now - node.heartbeat > LATE:
            stale.append(f"{node.name}: last heartbeat {(world.now - node.heartbeat) / 60:.0f} min ago, {here}")
        elif node.kubevirt_schedulable is False and not node.unschedulable:
            closed.append(f"{node.name}: kubevirt.io/schedulable is false, {here}")
    if stale:
        yield fails(f"virt-handler is gone or silent on {count(len(stale), 'node')}", named(stale))
    if silent:
        yield unknown(f"no heartbeat to judge by on {count(len(silent), 'node')}", named(silent))
    if closed and not stale:
        yield warns(f"virt-handler takes no guests on {count(len(closed), 'node')}", named(closed))
    if not stale and not silent and not closed:
        yield passes(f"virt-handler was heard of within {LATE:.0f} s on all of {count(seen, 'node')}")
