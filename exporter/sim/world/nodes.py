"""What virt-handler and kubelet write on nodes: heartbeats, schedulable or not, devices, readiness."""

from __future__ import annotations

from exporter.sim.refusals import JSON
from exporter.sim.world.engine import Process, Steady
from exporter.sim.world.objects import workloads
from exporter.sim.world.world import World

HEARTBEAT, SCHEDULABLE = "kubevirt.io/heartbeat", "kubevirt.io/schedulable"
_KUBELET_SECONDS = 290.0


def heartbeat(world: World, node: str) -> Process:
    """virt-handler's sign of life every 60 to 130 s, shortened by the pace, for as long as it runs on the node."""
    yield world.random.uniform(0.0, 90.0)
    while world.cluster.exists("nodes", node):
        if node not in world.lost_nodes and any(
            pod.node == node and pod.started for pod in world.of(workloads.HANDLER)
        ):
            with world.cluster.edit("nodes", node) as body:
                body["metadata"]["annotations"][HEARTBEAT] = world.stamp
        yield world.random.uniform(60.0, 130.0)


def kubelet(world: World, node: str) -> Process:
    """The kubelet's own status, which it writes every five minutes if nothing changes."""
    yield Steady(world.random.uniform(0.0, _KUBELET_SECONDS))
    while world.cluster.exists("nodes", node):
        if node not in world.lost_nodes:
            with world.cluster.edit("nodes", node) as body:
                _beat(world, body)
        yield Steady(_KUBELET_SECONDS)


def handler_stops(world: World, node: str) -> None:
    """virt-handler says good-bye: no new guests, and its devices go."""
    if not world.cluster.exists("nodes", node) or node in world.lost_nodes:
        return
    with world.cluster.edit("nodes", node) as body:
        body["metadata"]["annotations"][HEARTBEAT] = world.stamp
        body["metadata"]["labels"][SCHEDULABLE] = "false"
    with world.cluster.edit("nodes", node) as body:
        _offer_devices(body, "0")
        _beat(world, body)


def handler_started(world: World, node: str) -> Process:
    """A heartbeat, then the devices, then guests may come again."""
    yield world.about(1.7)
    with world.cluster.edit("nodes", node) as body:
        body["metadata"]["annotations"][HEARTBEAT] = world.stamp
    yield world.about(1.4)
    with world.cluster.edit("nodes", node) as body:
        _offer_devices(body, "1k")
        _beat(world, body)
    yield world.about(0.6)
    with world.cluster.edit("nodes", node) as body:
        body["metadata"]["annotations"][HEARTBEAT] = world.stamp
        body["metadata"]["labels"][SCHEDULABLE] = "true"


def unreachable(world: World, node: str) -> None:
    """The node controller has not heard of the kubelet for 40 s."""
    with world.cluster.edit("nodes", node) as body:
        for condition in body["status"]["conditions"]:
            condition |= {"status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": world.stamp,
                          "message": "Kubelet stopped posting node status."}  # fmt: skip
        body["spec"]["taints"] = [
            {"key": "node.kubernetes.io/unreachable", "effect": effect, "timeAdded": world.stamp}
            for effect in ("NoSchedule", "NoExecute")
        ]


def _offer_devices(body: JSON, amount: str) -> None:
    allocatable = body["status"]["allocatable"]
    for name in allocatable:
        if name.startswith("devices.kubevirt.io/"):
            allocatable[name] = amount


def _beat(world: World, body: JSON) -> None:
    for condition in body["status"]["conditions"]:
        condition["lastHeartbeatTime"] = world.stamp
