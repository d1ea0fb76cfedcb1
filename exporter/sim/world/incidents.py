"""What happens to guests, nodes and APIs besides the upgrade: accidents, and what people ask for.

Each function is one process; it writes the objects that the real components would write, and the truth.
"""

from __future__ import annotations

from exporter.sim import times
from exporter.sim.catalogue import CRDS
from exporter.sim.faults import Fault, Harm
from exporter.sim.refusals import JSON
from exporter.sim.truth import AskedStop, Interruption, Outage
from exporter.sim.world import launchers, nodes, pods
from exporter.sim.world.engine import Process, Steady
from exporter.sim.world.objects import guests, launcher_pods, workloads
from exporter.sim.world.objects.guests import Guest
from exporter.sim.world.world import VM, VMI, ControlPod, World

_LEADERS_GIVE_UP = 10.0  # seconds without the API after which a leader ends itself
_NODE_TIMEOUT = 40.0  # seconds after which the node controller misses a kubelet


# -- guests ----------------------------------------------------------------------------------------------------------


def killed(world: World, guest: Guest, how: str) -> Process:
    """The guest's launcher dies: `oom` (out of memory) or `evicted` (by the kubelet)."""
    yield from _alone(world, guest)
    interruption = _interrupt(world, guest, how)
    match how:
        case "oom":
            launchers.finish(world, guest.pod, guest.namespace, phase="Failed", code=137, reason="OOMKilled")
        case _:
            _add_disruption(world, guest, "TerminationByKubelet", "The node was low on resource: memory.")
            launchers.finish(
                world, guest.pod, guest.namespace, phase="Failed", code=137, reason="Evicted",
                message="The node was low on resource: memory.",
            )  # fmt: skip
    yield world.about(0.5)
    _end_instance(world, guest, "Failed")
    interruption.seen_at = world.now
    yield world.about(1.0)
    yield from _again(world, guest)
    interruption.until = world.now


def update_eviction(world: World, guest: Guest) -> Process:
    """The workload updater shuts a guest down because it cannot migrate."""
    yield from _alone(world, guest)
    interruption = _interrupt(world, guest, "update-eviction")
    _add_disruption(world, guest, "EvictionByEvictionAPI", "Eviction API: evicting")
    _mark_pod_deleted(world, guest)
    yield world.about(4.0)
    launchers.finish(world, guest.pod, guest.namespace, phase="Succeeded")
    _end_instance(world, guest, "Succeeded")
    interruption.seen_at = world.now
    yield world.about(1.0)
    yield from _again(world, guest)
    interruption.until = world.now


def shut_down(world: World, guest: Guest) -> Process:
    """Somebody inside the guest shuts it down; its VM starts it again."""
    yield from _alone(world, guest)
    stop = AskedStop(namespace=guest.namespace, name=guest.name, how="guest-shutdown", at=world.now)
    world.truth.asked_stops.append(stop)
    launchers.finish(world, guest.pod, guest.namespace, phase="Succeeded")
    yield world.about(0.4)
    _end_instance(world, guest, "Succeeded")
    yield world.about(1.0)
    yield from _again(world, guest)
    stop.until = world.now


def restarted(world: World, guest: Guest, how: str, pause: float) -> Process:
    """The owner stops and starts the guest: `restart-request` (virtctl restart) or `run-strategy` (edits)."""
    yield from _alone(world, guest)
    stop = AskedStop(namespace=guest.namespace, name=guest.name, how=how, at=world.now)
    world.truth.asked_stops.append(stop)
    by_request = how == "restart-request"
    with world.cluster.edit(VM, guest.name, guest.namespace) as body:
        if by_request:
            body["status"]["stateChangeRequests"] = [{"action": "Stop", "uid": guest.vmi_uid}, {"action": "Start"}]
        else:
            body["spec"]["runStrategy"] = body["status"]["runStrategy"] = "Halted"
    yield world.about(0.3)
    world.cluster.delete(VMI, guest.name, guest.namespace)
    with world.cluster.edit(VM, guest.name, guest.namespace) as body:
        body["status"]["printableStatus"] = "Stopping"
    _mark_pod_deleted(world, guest)
    yield world.about(5.0)
    launchers.finish(world, guest.pod, guest.namespace, phase="Succeeded")
    _end_instance(world, guest, "Succeeded")
    yield world.about(0.5)
    yield from _remove_instance(world, guest)
    with world.cluster.edit(VM, guest.name, guest.namespace) as body:
        if by_request:
            body["status"]["stateChangeRequests"] = [{"action": "Start"}]
        body["status"] |= {"printableStatus": "Stopped", "created": False}
    yield world.about(pause)
    with world.cluster.edit(VM, guest.name, guest.namespace) as body:
        body["status"].pop("stateChangeRequests", None)
        body["spec"]["runStrategy"] = body["status"]["runStrategy"] = "Always"
    yield world.about(0.3)
    yield from _boot(world, guest)
    stop.until = world.now


# -- nodes and APIs --------------------------------------------------------------------------------------------------


def node_lost(world: World, node: str, removed_after: float) -> Process:
    """A node dies; it is missed after 40 s, and somebody removes it `removed_after` seconds after its death."""
    world.lost_nodes.add(node)
    victims = [guest for guest in world.guests.values() if guest.node == node and guest.running and not guest.busy]
    for guest in victims:
        guest.busy = True
    interruptions = {guest.key: _interrupt(world, guest, "node-lost") for guest in victims}
    for pod in [pod for pod in world.pods.values() if pod.node == node]:
        pod.started = False
    yield _NODE_TIMEOUT
    nodes.unreachable(world, node)
    for pod in [pod for pod in world.pods.values() if pod.node == node]:
        pods.set_ready(world, pod, ready=False)
    for guest in victims:
        launchers.set_ready(world, guest, {"status": "False", "lastTransitionTime": world.stamp,
                                           "reason": "PodNotReady"})  # fmt: skip
        with world.cluster.edit("pods", guest.pod, guest.namespace) as body:
            for condition in body["status"]["conditions"]:
                if condition["type"] == "Ready":
                    condition |= {"status": "False", "lastTransitionTime": world.stamp}
    yield max(0.0, removed_after - _NODE_TIMEOUT)
    world.mark(f"node {node} removed")
    world.cluster.delete("nodes", node)
    for pod in [pod for pod in world.pods.values() if pod.node == node]:
        pods.remove(world, pod)
    for guest in victims:
        world.spawn(_rescued(world, guest, interruptions[guest.key]), f"rescue {guest.key}")


def _rescued(world: World, guest: Guest, interruption: Interruption) -> Process:
    world.cluster.delete("pods", guest.pod, guest.namespace)
    yield world.about(0.6)
    _end_instance(world, guest, "Failed", reason="NodeUnresponsive")
    interruption.seen_at = world.now
    yield world.about(1.0)
    yield from _again(world, guest)
    interruption.until = world.now


def kubevirt_api_away(world: World, seconds: float) -> Process:
    """Every virt-api crashes and is not ready again for a while."""
    outage = Outage(what="kubevirt-api", since=world.now)
    world.truth.outages.append(outage)
    hit = [pod for pod in world.of(workloads.API) if pod.ready and not pod.terminating]
    for pod in hit:
        pods.set_ready(world, pod, ready=False, crashed=True)
    yield Steady(seconds)
    for pod in hit:
        if world.pods.get(pod.name) is pod and not pod.terminating:
            pods.set_ready(world, pod, ready=True)
    outage.until = world.now


def cluster_api_away(world: World, seconds: float) -> Process:
    """The API server refuses connections: nobody can read or write, so the world stands still.

    Leaders that could not renew their Lease for 10 s end themselves, and another pod takes over.
    """
    outage = Outage(what="cluster-api", since=world.now)
    world.truth.outages.append(outage)
    world.faults.add(Fault(harm=Harm.REFUSED, seconds=seconds))
    world.engine.shift(seconds)
    yield Steady(seconds)
    outage.until = world.now
    world.faults.expire()
    if seconds < _LEADERS_GIVE_UP:
        return
    for component in (workloads.OPERATOR, workloads.CONTROLLER):
        leader = world.leader[component]
        if leader is not None and world.pods.get(leader.name) is leader and leader.started:
            leader.started = False
            pods.set_ready(world, leader, ready=False, crashed=True)
            world.spawn(_restarted_leader(world, leader), f"restart of {leader.name}")


def _restarted_leader(world: World, leader: ControlPod) -> Process:
    yield Steady(3.0)
    leader.started = True
    yield 10.0
    if world.pods.get(leader.name) is leader and not leader.terminating:
        pods.set_ready(world, leader, ready=True)


def definition_deleted(world: World, name: str, recreate_after: float) -> Process:
    """Somebody deletes a CustomResourceDefinition, with all its objects; virt-operator makes it again, empty."""
    definition = world.cluster.get(CRDS, name)
    lost = len(world.cluster.store.table(name).entries)
    world.truth.lost[name] = world.truth.lost.get(name, 0) + lost
    world.mark(f"definition {name} deleted")
    world.cluster.delete(CRDS, name)
    yield recreate_after
    kept = {key: definition["metadata"].get(key) for key in ("name", "labels", "annotations")}
    fresh: JSON = {"metadata": {key: value for key, value in kept.items() if value}, "spec": definition["spec"]}
    world.cluster.create(CRDS, fresh)


# -- parts -----------------------------------------------------------------------------------------------------------


def _alone(world: World, guest: Guest) -> Process:
    """Wait until nobody else is busy with the guest, and be busy with it."""
    while guest.busy or not guest.running:
        yield world.guest_changed
    guest.busy = True


def _interrupt(world: World, guest: Guest, reason: str) -> Interruption:
    interruption = Interruption(namespace=guest.namespace, name=guest.name, reason=reason, at=world.now)
    world.truth.interruptions.append(interruption)
    return interruption


def _add_disruption(world: World, guest: Guest, reason: str, message: str) -> None:
    with world.cluster.edit("pods", guest.pod, guest.namespace) as body:
        body["status"]["conditions"].append({
            "type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": world.stamp,
            "reason": reason, "message": message,
        })  # fmt: skip


def _mark_pod_deleted(world: World, guest: Guest) -> None:
    grace = 90
    with world.cluster.edit("pods", guest.pod, guest.namespace) as body:
        body["metadata"]["deletionTimestamp"] = times.seconds(world.now + grace)
        body["metadata"]["deletionGracePeriodSeconds"] = grace


def _end_instance(world: World, guest: Guest, phase: str, *, reason: str = "") -> None:
    """The instance says that it is over, and the machine that it is not ready."""
    guest.running = False
    with world.cluster.edit(VMI, guest.name, guest.namespace) as body:
        status = body["status"]
        status["phase"] = phase
        if reason:
            status["reason"] = reason
        else:  # whoever writes by JSON patch (the node controller) adds no time
            status["phaseTransitionTimestamps"].append({"phase": phase, "phaseTransitionTimestamp": world.stamp})
        status["conditions"] = [one for one in status["conditions"] if one["type"] != "AgentConnected"]
    launchers.set_ready(world, guest, {"status": "False", "lastTransitionTime": world.stamp, "reason": "PodNotExists",
                                       "message": "virt-launcher pod has not yet been scheduled"})  # fmt: skip


def _again(world: World, guest: Guest) -> Process:
    """The machine wants to run: it replaces the instance by a new one."""
    yield from _remove_instance(world, guest)
    yield world.about(0.4)
    yield from _boot(world, guest)


def _remove_instance(world: World, guest: Guest) -> Process:
    body = world.cluster.get(VMI, guest.name, guest.namespace)
    if not body["metadata"].get("deletionTimestamp"):
        world.cluster.delete(VMI, guest.name, guest.namespace)
    yield world.about(0.3)
    with world.cluster.edit(VMI, guest.name, guest.namespace) as body:
        body["metadata"].pop("finalizers", None)
    owned = [
        key for key, entry in world.cluster.store.table("pods").entries.items()
        if key[0] == guest.namespace and entry.labels.get("kubevirt.io/created-by") == guest.vmi_uid
    ]  # fmt: skip
    for namespace, name in owned:
        world.cluster.delete("pods", name, namespace)


def _boot(world: World, guest: Guest) -> Process:
    """A new instance in a new launcher, from nothing to running."""
    cluster, namespace = world.cluster, guest.namespace
    created = world.now
    guest.vmi_uid = cluster.new_uid()
    guest.pod = f"virt-launcher-{guest.name}-{cluster.suffix()}"
    guest.image = world.launcher_image
    guest.node = world.roomiest(besides="")
    cluster.create(VMI, guests.new_instance(guest))
    with cluster.edit(VM, guest.name, namespace) as body:
        body["status"] |= {"printableStatus": "Starting", "created": True}
    yield world.about(0.3)
    pod = cluster.create("pods", launcher_pods.new_launcher(guest, image=guest.image))
    guest.pod_uid = pod["metadata"]["uid"]
    _instance_phase(world, guest, "Scheduling", activePods={guest.pod_uid: ""})
    yield world.about(0.1)
    launchers.schedule(world, guest, guest.node)
    yield from launchers.start(world, guest)
    _instance_phase(world, guest, "Scheduled", activePods={guest.pod_uid: guest.node}, nodeName=guest.node,
                    launcherContainerImageVersion=guest.image)  # fmt: skip
    yield world.about(3.0)
    running = guests.instance(guest, at=created, booted=world.now - created)
    with cluster.edit(VMI, guest.name, namespace) as body:
        body["metadata"]["labels"] = running["metadata"]["labels"]
        body["status"] = {**running["status"], "conditions": running["status"]["conditions"]}
    launchers.unpause(world, guest)
    launchers.set_ready(world, guest, {"status": "True", "lastTransitionTime": world.stamp})
    with cluster.edit(VM, guest.name, namespace) as body:
        body["status"]["printableStatus"] = "Running"
    guest.running, guest.busy = True, False
    world.fire(world.guest_changed)


def _instance_phase(world: World, guest: Guest, phase: str, **more: JSON | str) -> None:
    with world.cluster.edit(VMI, guest.name, guest.namespace) as body:
        status = body["status"]
        status |= {"phase": phase, **more}
        entry = {"phase": phase, "phaseTransitionTimestamp": world.stamp}
        status.setdefault("phaseTransitionTimestamps", []).append(entry)
