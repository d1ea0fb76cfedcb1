"""The controllers of Deployments and of the virt-handler DaemonSet: pods follow templates, statuses follow pods.

Each controller is one process that converges whenever a pod or a template of its component changes, so that a new
template in the middle of a rollout (a rollback, a superseding upgrade) needs no special case.
"""

from __future__ import annotations

import math

from exporter.sim.refusals import JSON
from exporter.sim.world import pods
from exporter.sim.world.engine import Process
from exporter.sim.world.objects import workloads
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.releases import Release
from exporter.sim.world.world import ControlPod, World

DEPLOYMENTS, REPLICA_SETS, DAEMON_SETS = "deployments.apps", "replicasets.apps", "daemonsets.apps"


def deployment_controller(world: World, component: str) -> Process:
    """Keep the pods and the status of a Deployment what its template says, for ever."""
    while True:
        _converge_deployment(world, component)
        yield world.changed[component]
        yield 0.02  # a controller sees changes through a watch


def daemon_set_controller(world: World) -> Process:
    """Keep virt-handler on every node, a limited number of nodes at a time, for ever."""
    while True:
        _converge_daemon_set(world)
        yield world.changed[workloads.HANDLER]
        yield 0.02


def rolled_over(world: World, component: str) -> bool:
    """All pods are at the template's release and ready, and no old one is left."""
    release = world.templates[component]
    current = world.of(component)
    wanted = len(world.workers) if component == workloads.HANDLER else world.replicas(component)
    ready = [pod for pod in current if pod.release == release and pod.ready and not pod.terminating]
    return len(ready) >= wanted and all(pod.release == release for pod in current)


def retemplate(world: World, component: str, release: Release) -> None:
    """virt-operator (or a user, for virt-operator itself) changes a workload's template."""
    resource = DAEMON_SETS if component == workloads.HANDLER else DEPLOYMENTS
    with world.cluster.edit(resource, component, NAMESPACE) as body:
        workloads.restamp(body, component, release)
        if component == workloads.HANDLER:
            generation = int(body["metadata"]["annotations"]["deprecated.daemonset.template.generation"])
            body["metadata"]["annotations"]["deprecated.daemonset.template.generation"] = str(generation + 1)
            body["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = 1
    world.templates[component] = release
    world.fire(world.changed[component])


def _converge_deployment(world: World, component: str) -> None:
    release, replicas = world.templates[component], world.replicas(component)
    surge, unavailable = math.ceil(replicas / 4), replicas // 4
    owner = _replica_set(world, component, release)
    moved = True
    while moved:
        moved = False
        alive = [pod for pod in world.of(component) if not pod.terminating]
        new = [pod for pod in alive if pod.release == release]
        if len(new) < replicas and len(alive) < replicas + surge:
            pods.create(world, component, release, node=_node_for(world, component), owner=owner)
            moved = True
            continue
        for pod in _in_order_of_death(world, component, [pod for pod in alive if pod.release != release]):
            ready = sum(1 for one in alive if one.ready)
            if not pod.ready or ready - 1 >= replicas - unavailable:
                pods.stop(world, pod)
                moved = True
                break
    _sync_deployment(world, component)


def _in_order_of_death(world: World, component: str, old: list[ControlPod]) -> list[ControlPod]:
    """Those that are not ready first; the leader's pod last (or first: `handover` via-old)."""
    leader = world.leader.get(component)
    leader_first = world.spec.handover == "via-old"
    return sorted(old, key=lambda pod: (pod.ready, (pod is leader) != leader_first))


def _node_for(world: World, component: str) -> str:
    if component == workloads.OPERATOR:
        return world.random.choice([node for node in world.workers if node not in world.lost_nodes])
    return world.random.choice(world.control_planes)


def _replica_set(world: World, component: str, release: Release) -> JSON:
    name = f"{component}-{release.template_hash(component)}"
    found = world.cluster.find(REPLICA_SETS, name, NAMESPACE)
    if found is not None:
        return found
    with world.cluster.edit(DEPLOYMENTS, component, NAMESPACE) as deployment:
        annotations = deployment["metadata"]["annotations"]
        revision = int(annotations["deployment.kubernetes.io/revision"]) + 1
        annotations["deployment.kubernetes.io/revision"] = str(revision)
    body = workloads.replica_set(component, release, owner=deployment, replicas=0, revision=revision)
    return world.cluster.create(REPLICA_SETS, body)


def _sync_deployment(world: World, component: str) -> None:
    release, replicas = world.templates[component], world.replicas(component)
    alive = [pod for pod in world.of(component) if not pod.terminating]
    new = [pod for pod in alive if pod.release == release]
    ready = [pod for pod in alive if pod.ready]
    newest = f"{component}-{release.template_hash(component)}"
    complete = len(new) == replicas and len(ready) == len(alive) == replicas
    with world.cluster.edit(DEPLOYMENTS, component, NAMESPACE) as body:
        status = body["status"]
        before = status["conditions"][1]["reason"]
        status |= {"observedGeneration": body["metadata"]["generation"], "replicas": len(alive),
                   "terminatingReplicas": len(world.of(component)) - len(alive)}  # fmt: skip
        _set_counts(status, updatedReplicas=len(new), readyReplicas=len(ready), availableReplicas=len(ready),
                    unavailableReplicas=max(0, max(replicas, len(alive)) - len(ready)))  # fmt: skip
        enough = len(ready) >= replicas - replicas // 4
        available, progressing = status["conditions"]
        if (available["status"] == "True") != enough:
            available |= {"status": str(enough), "lastTransitionTime": world.stamp, "lastUpdateTime": world.stamp}
            available["reason"] = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
        reason = "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated"
        if reason != before:
            ending = "has successfully progressed." if complete else "is progressing."
            progressing |= {"reason": reason, "lastUpdateTime": world.stamp,
                            "message": f'ReplicaSet "{newest}" {ending}'}  # fmt: skip
    for replica_set in list(world.cluster.list(REPLICA_SETS, NAMESPACE)):
        name = replica_set["metadata"]["name"]
        if replica_set["metadata"]["ownerReferences"][0]["name"] == component:
            _sync_replica_set(world, name, [pod for pod in alive if pod.name.startswith(f"{name}-")])


def _sync_replica_set(world: World, name: str, mine: list[ControlPod]) -> None:
    ready = sum(1 for pod in mine if pod.ready)
    with world.cluster.edit(REPLICA_SETS, name, NAMESPACE) as body:
        body["spec"]["replicas"] = len(mine)
        body["status"] |= {"replicas": len(mine)}
        _set_counts(body["status"], fullyLabeledReplicas=len(mine), readyReplicas=ready, availableReplicas=ready)
    with world.cluster.edit(REPLICA_SETS, name, NAMESPACE) as body:
        body["status"]["observedGeneration"] = body["metadata"]["generation"]


def _converge_daemon_set(world: World) -> None:
    release = world.templates[workloads.HANDLER]
    owner = world.cluster.get(DAEMON_SETS, workloads.HANDLER, NAMESPACE)
    by_node: dict[str, ControlPod] = {pod.node: pod for pod in world.of(workloads.HANDLER)}
    for node in world.workers:
        if node not in by_node:
            pod = pods.create(world, workloads.HANDLER, release, node=node, owner=owner)
            by_node[node] = pod
    old = [pod for pod in by_node.values() if pod.release != release and not pod.terminating]
    for pod in old:
        if not pod.ready and pod.node not in world.lost_nodes:
            pods.stop(world, pod)
    budget = _max_unavailable(owner, len(by_node)) - sum(
        1 for pod in by_node.values() if not pod.ready or pod.terminating
    )
    waiting = [pod for pod in old if pod.ready and not pod.terminating]
    for pod in waiting[: max(0, budget)]:
        pods.stop(world, pod)
    _sync_daemon_set(world)


def _max_unavailable(daemon_set: JSON, nodes: int) -> int:
    value = daemon_set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
    if isinstance(value, str):
        return max(1, math.ceil(nodes * int(value.rstrip("%")) / 100))
    return int(value)


def _sync_daemon_set(world: World) -> None:
    release = world.templates[workloads.HANDLER]
    alive = [pod for pod in world.of(workloads.HANDLER) if not pod.terminating]
    ready = sum(1 for pod in alive if pod.ready)
    desired = len(world.workers)
    with world.cluster.edit(DAEMON_SETS, workloads.HANDLER, NAMESPACE) as body:
        status = body["status"]
        status |= {
            "currentNumberScheduled": len(alive), "desiredNumberScheduled": desired, "numberReady": ready,
            "observedGeneration": body["metadata"]["generation"],
        }  # fmt: skip
        _set_counts(status, updatedNumberScheduled=sum(1 for pod in alive if pod.release == release),
                    numberAvailable=ready, numberUnavailable=desired - ready)  # fmt: skip


def _set_counts(status: JSON, **counts: int) -> None:
    """Kubernetes leaves counts out that are zero."""
    for name, count in counts.items():
        if count > 0:
            status[name] = count
        else:
            status.pop(name, None)
