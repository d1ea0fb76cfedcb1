"""Objects that cannot exist beside each other: what controllers never leave behind once they are done with a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from exporter.sim import times
from exporter.sim.catalogue import CRDS
from exporter.sim.cluster import Cluster
from exporter.sim.refusals import JSON

Objects = Mapping[str, Sequence[JSON]]  # by resource
Rule = Callable[[Objects], list[str]]

_VM, _VMI, _VMIM, _KUBEVIRT = (
    "virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io",
    "virtualmachineinstancemigrations.kubevirt.io", "kubevirts.kubevirt.io",
)  # fmt: skip
_STAMP = "kubevirt.io/install-strategy-identifier"
_MOVING = {"Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running"}


def snapshot(cluster: Cluster) -> dict[str, list[JSON]]:
    """All objects at this moment."""
    return {resource: list(cluster.list(resource)) for resource in cluster.resources}


def check(objects: Objects, *, now: float) -> list[str]:
    """What is wrong, in words; nothing for a world that can be."""
    problems = [problem for rule in RULES for problem in rule(objects)]
    return problems + created_in_the_past(objects, now=now)


def created_in_the_past(objects: Objects, *, now: float) -> list[str]:
    """Nothing is created later than now."""
    return [
        f"{resource} {_name(body)} is created in the future" for resource, bodies in objects.items() for body in bodies
        if times.parse(body["metadata"]["creationTimestamp"]) > now
    ]  # fmt: skip


def uids_are_unique(objects: Objects) -> list[str]:
    """No two objects share a uid."""
    counts = Counter(body["metadata"]["uid"] for bodies in objects.values() for body in bodies)
    return [f"uid {uid} is used {count} times" for uid, count in counts.items() if count > 1]


def owners_exist(objects: Objects) -> list[str]:
    """What a controller owns goes with it."""
    uids = {body["metadata"]["uid"] for bodies in objects.values() for body in bodies}
    return [
        f"{resource} {_name(body)} is owned by {owner['kind']} {owner['name']}, which is gone"
        for resource, bodies in objects.items() for body in bodies
        for owner in body["metadata"].get("ownerReferences", ()) if owner["uid"] not in uids
    ]  # fmt: skip


def running_instances_have_a_launcher(objects: Objects) -> list[str]:
    """A guest runs in the compute container of a launcher pod on its node; a launcher that just died is noted soon."""
    launchers = {
        (pod["metadata"]["labels"].get("kubevirt.io/created-by"), pod["spec"].get("nodeName"))
        for pod in objects.get("pods", ()) if pod["metadata"].get("labels", {}).get("kubevirt.io") == "virt-launcher"
    }  # fmt: skip
    nodes = {node["metadata"]["name"] for node in objects.get("nodes", ())}
    problems = []
    for body in objects.get(_VMI, ()):
        status = body["status"]
        if status["phase"] != "Running":
            continue
        if (body["metadata"]["uid"], status.get("nodeName")) not in launchers:
            problems.append(f"instance {_name(body)} runs on {status.get('nodeName')} without a launcher")
        if status.get("nodeName") not in nodes and not _recently_removed(body):
            problems.append(f"instance {_name(body)} runs on a node that does not exist")
    return problems


def machines_are_ready_with_their_instance(objects: Objects) -> list[str]:
    """A machine is ready only while its instance runs."""
    running = {_name(body) for body in objects.get(_VMI, ()) if body["status"]["phase"] == "Running"}
    return [
        f"machine {_name(body)} is ready, but its instance does not run" for body in objects.get(_VM, ())
        if body["status"].get("ready") and _name(body) not in running
    ]  # fmt: skip


def one_handler_a_node(objects: Objects) -> list[str]:
    """A DaemonSet never has two pods on a node that are not on their way out."""
    counts = Counter(
        pod["spec"].get("nodeName") for pod in objects.get("pods", ())
        if pod["metadata"].get("labels", {}).get("kubevirt.io") == "virt-handler"
        and not pod["metadata"].get("deletionTimestamp")
    )  # fmt: skip
    return [f"{count} virt-handlers on {node}" for node, count in counts.items() if node and count > 1]


def workloads_do_not_exceed_their_pods(objects: Objects) -> list[str]:
    """A Deployment does not count more ready pods than there are."""
    problems = []
    for body in objects.get("deployments.apps", ()):
        name = body["metadata"]["name"]
        pods = [
            pod for pod in objects.get("pods", ()) if pod["metadata"].get("labels", {}).get("kubevirt.io") == name
        ]  # fmt: skip
        if body["status"].get("updatedReplicas", 0) > len(pods):
            problems.append(f"deployment {name} counts {body['status']['updatedReplicas']} pods, there are {len(pods)}")
        if body["status"].get("observedGeneration", 0) > body["metadata"]["generation"]:
            problems.append(f"deployment {name} has observed a generation that does not exist")
    return problems


def migrations_keep_their_limit(objects: Objects) -> list[str]:
    """No more migrations move than the KubeVirt object allows."""
    for kubevirt in objects.get(_KUBEVIRT, ()):
        limit = kubevirt["spec"]["configuration"]["migrations"]["parallelMigrationsPerCluster"]
        moving = sum(1 for body in objects.get(_VMIM, ()) if body.get("status", {}).get("phase") in _MOVING)
        if moving > limit:
            return [f"{moving} migrations move, {limit} may"]
    return []


def migrated_guests_are_at_their_target(objects: Objects) -> list[str]:
    """A migration that is completed and did not fail has moved its guest."""
    problems = []
    for body in objects.get(_VMI, ()):
        state = body["status"].get("migrationState") or {}
        moved = state.get("completed") and not state.get("failed")
        if moved and state["targetNode"] != body["status"].get("nodeName"):
            problems.append(f"instance {_name(body)} migrated to {state['targetNode']}, but is not there")
    return problems


def reported_means_rolled_over(objects: Objects) -> list[str]:
    """KubeVirt says that all is ready only when every workload has the template of the observed deployment."""
    problems = []
    workloads = [*objects.get("deployments.apps", ()), *objects.get("daemonsets.apps", ())]
    for body in objects.get(_KUBEVIRT, ()):
        status = body["status"]
        ready = any(one["reason"] == "AllComponentsReady" for one in status["conditions"])
        for workload in workloads if ready else ():
            stamp = workload["metadata"].get("annotations", {}).get(_STAMP)
            if stamp not in {None, status["observedDeploymentID"]}:
                problems.append(f"KubeVirt is ready, but {workload['metadata']['name']} is of another deployment")
    return problems


def definitions_know_what_they_store(objects: Objects) -> list[str]:
    """Every stored version exists, and the storage version is one of them."""
    problems = []
    for body in objects.get(CRDS, ()):
        versions = {version["name"] for version in body["spec"]["versions"]}
        storage = next(version["name"] for version in body["spec"]["versions"] if version["storage"])
        stored = set(body["status"]["storedVersions"])
        if not stored <= versions or storage not in stored:
            problems.append(f"definition {_name(body)} stores {sorted(stored)}, but has {sorted(versions)}")
    return problems


def ended_pods_are_not_ready(objects: Objects) -> list[str]:
    """A pod that is over is not ready, and none of its containers runs."""
    problems = []
    for pod in objects.get("pods", ()):
        status = pod["status"]
        if status["phase"] not in {"Succeeded", "Failed"}:
            continue
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))
        runs = any("running" in one["state"] for one in status.get("containerStatuses", ()))
        if ready or runs:
            problems.append(f"pod {_name(pod)} is over, and ready or running")
    return problems


RULES: tuple[Rule, ...] = (
    uids_are_unique,
    owners_exist,
    running_instances_have_a_launcher,
    machines_are_ready_with_their_instance,
    one_handler_a_node,
    workloads_do_not_exceed_their_pods,
    migrations_keep_their_limit,
    migrated_guests_are_at_their_target,
    reported_means_rolled_over,
    definitions_know_what_they_store,
    ended_pods_are_not_ready,
)


def _name(body: JSON) -> str:
    metadata = body["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def _recently_removed(body: JSON) -> bool:
    """The instance of a node that was just removed still says it runs; it is not ready any more."""
    return any(one["type"] == "Ready" and one["status"] == "False" for one in body["status"]["conditions"])
