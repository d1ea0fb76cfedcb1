"""Workload updates: outdated labels, the updater that creates migrations, and every step of a live migration."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.truth import MigrationEnd
from exporter.sim.world import incidents, launchers
from exporter.sim.world.engine import Process, Signal, Wait
from exporter.sim.world.objects import guests, launcher_pods, workloads
from exporter.sim.world.objects.guests import OUTDATED, Guest
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.releases import Release
from exporter.sim.world.world import KUBEVIRT, VM, VMI, VMIM, World

_LOOP_SECONDS = 5.0
_BATCH = 3  # unfinished migrations there may be, as a multiple of those that may run
_KEPT = 5  # finished migrations of a guest that are not collected
_PER_NODE = 2
_EVICTIONS = 10
_RETRY_SECONDS = 20.0
_AT_ONCE = 100  # guests labelled between two breaths


def labeller(world: World) -> Process:
    """Whenever another virt-controller leads, it marks the guests whose launcher is not its own."""
    while True:
        yield world.leader_changed[workloads.CONTROLLER]
        yield 0.25
        for position, guest in enumerate(list(world.guests.values())):
            if guest.running and not guest.busy:
                _label(world, guest, outdated=world.outdated(guest))
            if position % _AT_ONCE == _AT_ONCE - 1:
                yield 0.02


def _label(world: World, guest: Guest, *, outdated: bool) -> None:
    for resource, name in (("pods", guest.pod), (VMI, guest.name)):
        with world.cluster.edit(resource, name, guest.namespace) as body:
            labels = body["metadata"]["labels"]
            if outdated:
                labels[OUTDATED] = ""
            else:
                labels.pop(OUTDATED, None)


class _Queue:
    """Who migrates, who waits for a turn, and how often each guest failed."""

    def __init__(self, world: World) -> None:
        self.running: dict[str, str] = {}  # guest: the node it leaves
        self.waiting: deque[str] = deque()
        self.failures: dict[str, int] = defaultdict(int)
        self.not_before: dict[str, float] = {}
        self.freed = Signal()
        self.limit = world.spec.parallel_migrations

    def may_start(self, guest: Guest) -> bool:
        leaving = sum(1 for node in self.running.values() if node == guest.node)
        return len(self.running) < self.limit and leaving < _PER_NODE


def updater(world: World, release: Release) -> Process:
    """Update the guests after an upgrade to `release` was reported, for as long as it is the target."""
    queue = _Queue(world)
    methods = world.spec.update_methods
    yield 0.9
    started = False
    while world.target == release:
        leader = world.leader[workloads.CONTROLLER]
        if leader is None or leader.release != release:
            yield 1.0
            continue
        outdated = [guest for guest in world.guests.values() if world.outdated(guest)]
        _count(world, len(outdated))
        able = [guest for guest in outdated if guest.migratable] if "LiveMigrate" in methods else []
        hopeless = {guest for guest, times_left in world.failing.items() if times_left < 0}
        world.truth.stranded = {
            guest.key for guest in outdated if not guest.migratable or not methods or guest.key in hopeless
        }
        if not started:
            world.milestone("workloads-started", release)
            started = True
        if not able and not queue.running:
            world.milestone("workloads-updated", release)
        yield from _create_migrations(world, queue, able)
        if "Evict" in methods:
            _evict(world, [guest for guest in outdated if guest not in able and not guest.busy])
        yield _LOOP_SECONDS


def _evict(world: World, guests_left: list[Guest]) -> None:
    """The other update method: guests that cannot migrate are shut down, and start again in the new launcher."""
    for guest in guests_left[:_EVICTIONS]:
        world.spawn(incidents.update_eviction(world, guest), f"evict {guest.key}")


def _count(world: World, outdated: int) -> None:
    """virt-controller writes the number of outdated guests only while observed and target are the same."""
    body = world.cluster.get(KUBEVIRT, "kubevirt", NAMESPACE)
    if body["status"]["observedDeploymentID"] == body["status"]["targetDeploymentID"]:
        body["status"]["outdatedVirtualMachineInstanceWorkloads"] = outdated
        world.cluster.replace(KUBEVIRT, body)


def _create_migrations(world: World, queue: _Queue, able: list[Guest]) -> Process:
    room = _BATCH * queue.limit - len(queue.running) - len(queue.waiting)
    known = {*queue.running, *queue.waiting}
    fresh = [
        guest for guest in able
        if guest.key not in known and not guest.busy and queue.not_before.get(guest.key, 0.0) <= world.now
    ]  # fmt: skip
    for guest in world.random.sample(fresh, k=min(room, len(fresh))):
        queue.waiting.append(guest.key)
        body = world.cluster.create(VMIM, guests.migration(guest))
        world.spawn(_migrate(world, queue, guest, body), f"migrate {guest.key}")
        yield world.about(0.1, 0.9)


def _migrate(world: World, queue: _Queue, guest: Guest, migration: JSON) -> Process:
    """One migration from its creation to its end; a guest that went meanwhile fails it."""
    name = migration["metadata"]["name"]
    vmi_uid = guest.vmi_uid
    yield world.about(0.3)
    with world.cluster.edit(VMIM, name, guest.namespace) as body:
        body["metadata"]["annotations"] |= guests.OBSERVED
    yield world.about(0.1)
    _phase(world, guest, name, "Pending", migrationState={"sourcePod": guest.pod})
    while not queue.may_start(guest) or guest.busy:
        if guest.vmi_uid != vmi_uid:
            break
        yield queue.freed if queue.running and not guest.busy else 1.0
    queue.waiting.remove(guest.key)
    if guest.vmi_uid != vmi_uid or not guest.running:
        _end(world, queue, guest, name, succeeded=False)
        return
    queue.running[guest.key] = guest.node
    guest.busy = True
    succeeded = yield from _move(world, guest, name, migration)
    guest.busy = False
    world.fire(world.guest_changed)
    _end(world, queue, guest, name, succeeded=succeeded)


def _move(world: World, guest: Guest, name: str, migration: JSON) -> Generator[Wait, None, bool]:
    """From the target pod to the hand-over; returns whether the guest moved."""
    cluster, namespace = world.cluster, guest.namespace
    target_node = world.roomiest(besides=guest.node)
    target = guests.Guest(**{field: getattr(guest, field) for field in guest.__slots__})
    target.pod = f"virt-launcher-{guest.name}-{cluster.suffix()}"
    target.image = world.launcher_image
    pod = cluster.create("pods", launcher_pods.new_launcher(target, image=target.image, migration=migration))
    target.pod_uid = pod["metadata"]["uid"]
    yield world.about(0.1)
    launchers.schedule(world, target, target_node)
    with cluster.edit(VMI, guest.name, namespace) as body:
        body["status"]["activePods"][target.pod_uid] = ""
    _phase(world, guest, name, "Scheduling")
    yield world.about(0.1)
    with cluster.edit(VMI, guest.name, namespace) as body:
        body["status"]["activePods"][target.pod_uid] = target_node
    yield from launchers.start(world, target)
    _phase(world, guest, name, "Scheduled")
    with cluster.edit(VMI, guest.name, namespace) as body:
        body["metadata"]["labels"]["kubevirt.io/migrationTargetNodeName"] = target_node
        body["status"]["migrationState"] = {
            "migrationConfiguration": dict(guests.MIGRATION_SETTINGS),
            "migrationUid": migration["metadata"]["uid"],
            "sourceNode": guest.node, "sourcePod": guest.pod, "targetNode": target_node, "targetPod": target.pod,
        }  # fmt: skip
    _phase(world, guest, name, "PreparingTarget")
    yield world.about(1.1)
    with cluster.edit(VMI, guest.name, namespace) as body:
        body["status"]["migrationState"] |= {
            "targetDirectMigrationNodePorts": {"40753": 49153, "41288": 49152, "42511": 0},
            "targetNodeAddress": guests.pod_address(world.random.randrange(60_000)),
        }
    _phase(world, guest, name, "TargetReady")
    yield world.about(0.7)
    with cluster.edit(VMI, guest.name, namespace) as body:
        body["status"]["migrationState"] |= {"mode": "PreCopy", "startTimestamp": world.stamp}
    _phase(world, guest, name, "Running")
    _printable(world, guest, "Migrating")
    yield world.about(5.0, 0.5)
    if world.failing.get(guest.key, 0):
        world.failing[guest.key] -= world.failing[guest.key] > 0
        _fail(world, guest, target)
        return False
    yield from _hand_over(world, guest, target, target_node, name)
    return True


def _hand_over(world: World, guest: Guest, target: Guest, target_node: str, name: str) -> Process:
    cluster, namespace = world.cluster, guest.namespace
    with cluster.edit(VMI, guest.name, namespace) as body:
        body["status"]["migrationState"] |= {
            "targetNodeDomainDetected": True, "targetNodeDomainReadyTimestamp": world.stamp,
        }  # fmt: skip
    yield world.about(0.2)
    old_pod, created = (
        guest.pod,
        times.parse(cluster.get("pods", target.pod, namespace)["metadata"]["creationTimestamp"]),
    )
    with cluster.edit(VMI, guest.name, namespace) as body:
        labels, status = body["metadata"]["labels"], body["status"]
        labels["kubevirt.io/nodeName"] = target_node
        labels.pop(OUTDATED, None)
        status.pop("launcherContainerImageVersion", None)
        status["nodeName"] = target_node
        status["migrationState"] |= {"completed": True, "endTimestamp": world.stamp}
    guest.node, guest.pod, guest.pod_uid, guest.image = target_node, target.pod, target.pod_uid, target.image
    yield 0.04
    launchers.unpause(world, guest)
    _printable(world, guest, "Running")
    _phase(world, guest, name, "Succeeded")
    yield world.about(0.04)
    with cluster.edit("pods", guest.pod, namespace) as body:
        body["metadata"]["labels"]["kubevirt.io/nodeName"] = target_node
        body["metadata"]["labels"].pop(OUTDATED, None)
    state = cluster.get(VMI, guest.name, namespace)["status"]["migrationState"]
    with cluster.edit(VMIM, name, namespace) as body:
        body["status"]["migrationState"] = state
    yield 0.02
    waiting = {"status": "False", "lastTransitionTime": times.seconds(created), "reason": "ReadinessGatesNotReady",
               "message": launcher_pods.GATE_MISSING}  # fmt: skip
    launchers.set_ready(world, guest, waiting, image=guest.image)
    yield world.about(0.05, 0.5)
    launchers.set_ready(world, guest, {"status": "True", "lastTransitionTime": world.stamp})
    lingering = world.lingering.pop(guest.key, 0.0)
    if lingering:
        world.truth.duplicates[guest.key] = (world.now, world.now + lingering)
    world.spawn(_retire(world, guest, old_pod, lingering), f"retire {old_pod}")


def _retire(world: World, guest: Guest, pod: str, lingering: float) -> Process:
    """The old launcher ends a moment after the guest left it, if nothing holds it."""
    yield world.about(1.4) + lingering
    if world.cluster.exists("pods", pod, guest.namespace):
        launchers.finish(world, pod, guest.namespace, phase="Succeeded")


def _fail(world: World, guest: Guest, target: Guest) -> None:
    """The migration fails after it began to copy: the guest stays where it was."""
    with world.cluster.edit(VMI, guest.name, guest.namespace) as body:
        body["status"]["migrationState"] |= {
            "completed": True, "failed": True, "endTimestamp": world.stamp,
            "failureReason": "Live migration failed: unable to connect to the target",
        }  # fmt: skip
        body["status"]["activePods"].pop(target.pod_uid, None)
    _printable(world, guest, "Running")
    launchers.finish(world, target.pod, guest.namespace, phase="Failed", code=1)


def _end(world: World, queue: _Queue, guest: Guest, name: str, *, succeeded: bool) -> None:
    queue.running.pop(guest.key, None)
    if not succeeded:
        queue.failures[guest.key] += 1
        queue.not_before[guest.key] = world.now + _RETRY_SECONDS / world.engine.pace * queue.failures[guest.key]
        _phase(world, guest, name, "Failed")
    with world.cluster.edit(VMIM, name, guest.namespace) as body:
        body["metadata"].pop("finalizers", None)
    world.truth.migrations.append(
        MigrationEnd(namespace=guest.namespace, name=guest.name, succeeded=succeeded, at=world.now)
    )
    _collect(world, guest, name)
    world.fire(queue.freed)


def _collect(world: World, guest: Guest, name: str) -> None:
    """Only the last few finished migrations of a guest are kept."""
    finished = world.finished[guest.key]
    finished.append(name)
    while len(finished) > _KEPT:
        world.cluster.delete(VMIM, finished.pop(0), guest.namespace)


def _phase(world: World, guest: Guest, name: str, phase: str, **more: JSON) -> None:
    with world.cluster.edit(VMIM, name, guest.namespace) as body:
        status = body.setdefault("status", {})
        status |= more
        status["phase"] = phase
        entry = {"phase": phase, "phaseTransitionTimestamp": world.stamp}
        status.setdefault("phaseTransitionTimestamps", []).append(entry)


def _printable(world: World, guest: Guest, status: str) -> None:
    with world.cluster.edit(VM, guest.name, guest.namespace) as body:
        body["status"]["printableStatus"] = status
