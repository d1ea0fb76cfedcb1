"""How a world begins: a cluster with KubeVirt at rest, guests running, and the processes that never end."""

from __future__ import annotations

from exporter.sim import times
from exporter.sim.catalogue import CRDS
from exporter.sim.refusals import JSON
from exporter.sim.world import leaders, migrations, nodes, pods, releases, rollouts
from exporter.sim.world.objects import guests, kubevirt, launcher_pods, platform, workloads
from exporter.sim.world.objects.guests import Guest
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.releases import Release
from exporter.sim.world.world import KUBEVIRT, VM, VMI, ClusterSpec, World, guest_names

_AGE = 3600.0  # seconds that everything has existed for
_SMALL_KINDS = {  # plural.group: whether namespaced
    "virtualmachinesnapshots.snapshot.kubevirt.io": True,
    "virtualmachinesnapshotcontents.snapshot.kubevirt.io": True,
    "virtualmachinerestores.snapshot.kubevirt.io": True,
    "virtualmachineexports.export.kubevirt.io": True,
    "virtualmachineclusterinstancetypes.instancetype.kubevirt.io": False,
    "virtualmachineclusterpreferences.instancetype.kubevirt.io": False,
    "migrationpolicies.migrations.kubevirt.io": False,
}


def begin(spec: ClusterSpec, *, seed: str, start: float, pace: float = 1.0) -> World:
    """A world at `start`; nothing has happened yet."""
    world = World(spec, seed=seed, start=start, pace=pace)
    release = Release(spec.version)
    for name in ("default", "kube-system", NAMESPACE, *spec.namespaces):
        _create(world, "namespaces", platform.namespace(name))
    _nodes(world)
    _definitions(world, release)
    _services_of(world, release)
    _control_plane(world, release)
    _guests(world, release)
    _small_objects(world)
    outdated = sum(1 for guest in world.guests.values() if guest.image != release.image("virt-launcher"))
    body = kubevirt.kubevirt(
        release, methods=list(spec.update_methods), outdated=outdated, at=world.now - _AGE, namespace=NAMESPACE
    )
    body["status"]["generations"] = generations(world)
    _create(world, KUBEVIRT, body)
    _processes(world)
    return world


def generations(world: World) -> list[JSON]:
    """`status.generations` of the KubeVirt object: what the operator believes to have written."""
    found = [
        _generation(world, CRDS, what.name, "apiextensions.k8s.io/v1", "customresourcedefinitions")
        for what in releases.definitions(world.target)
    ]
    for name, resource in platform.WEBHOOK_CONFIGURATIONS.items():
        found.append(_generation(world, resource, name, "admissionregistration.k8s.io", resource.partition(".")[0]))
    for name in (workloads.API, workloads.CONTROLLER):
        found.append(_generation(world, rollouts.DEPLOYMENTS, name, "apps", "deployments"))
        budgets = "poddisruptionbudgets.policy"
        found.append(_generation(world, budgets, f"{name}-pdb", "apps", "poddisruptionbudgets"))
    found.append(_generation(world, rollouts.DAEMON_SETS, workloads.HANDLER, "apps", "daemonsets"))
    return [one for one in found if one]


def _generation(world: World, resource: str, name: str, group: str, plural: str) -> JSON:
    namespaced = world.cluster.resource(resource).namespaced
    body = world.cluster.find(resource, name, NAMESPACE if namespaced else "")
    if body is None:
        return {}
    entry: JSON = {"group": group, "lastGeneration": body["metadata"]["generation"], "name": name, "resource": plural}
    return {**entry, "namespace": NAMESPACE} if namespaced else entry


def _create(world: World, resource: str, body: JSON) -> JSON:
    return world.cluster.create(resource, body, stamp=times.seconds(world.now - _AGE))


def _nodes(world: World) -> None:
    names = [(name, False) for name in world.control_planes]
    names += [(f"worker-{number}", True) for number in range(1, world.spec.workers + 1)]
    for number, (name, worker) in enumerate(names, 1):
        kubernetes = world.spec.kubernetes
        body = platform.node(name, number=number, worker=worker, kubernetes=kubernetes, at=world.now - 60)
        _create(world, "nodes", body)


def _definitions(world: World, release: Release) -> None:
    for what in (releases.KUBEVIRTS, *releases.definitions(release)):
        body = platform.definition(what, release)
        stored = world.spec.stored_versions.get(what.name)
        if stored:
            body["status"] = {"storedVersions": list(stored)}
        _create(world, CRDS, body)
    served = {
        (resource.group, version) for resource in world.cluster.resources.values() for version in resource.versions
    }
    for group, version in sorted(served):
        if group:
            _create(world, "apiservices.apiregistration.k8s.io",
                    platform.local_api_service(group, version, at=world.now - _AGE))  # fmt: skip


def _services_of(world: World, release: Release) -> None:
    for name in platform.SERVICES:
        _create(world, "services", platform.service(name, release))
    for name, resource in platform.WEBHOOK_CONFIGURATIONS.items():
        _create(world, resource, platform.webhooks(name, release))
    for version in ("v1", "v1alpha3"):
        body = platform.api_service(version, release, at=world.now - _AGE)
        _create(world, "apiservices.apiregistration.k8s.io", body)
    _create(world, "configmaps", platform.strategy(world.cluster.suffix(), release))


def _control_plane(world: World, release: Release) -> None:
    at = world.now - _AGE
    for component in (workloads.OPERATOR, workloads.API, workloads.CONTROLLER):
        replicas = world.replicas(component)
        owner = _create(world, rollouts.DEPLOYMENTS, workloads.deployment(component, release, replicas=replicas, at=at))
        body = workloads.replica_set(component, release, owner=owner, replicas=replicas, revision=1)
        body["status"] = {"observedGeneration": 1, "replicas": replicas, "fullyLabeledReplicas": replicas,
                          "readyReplicas": replicas, "availableReplicas": replicas}  # fmt: skip
        replica_set = _create(world, rollouts.REPLICA_SETS, body)
        homes = world.workers if component == workloads.OPERATOR else world.control_planes
        for number in range(replicas):
            pods.settled(world, component, release, node=homes[number % len(homes)], owner=replica_set, at=at)
        if component != workloads.OPERATOR:
            _create(world, "poddisruptionbudgets.policy",
                    platform.disruption_budget(component, release, replicas=replicas))  # fmt: skip
    workers = world.workers
    daemon_set = _create(world, rollouts.DAEMON_SETS, workloads.daemon_set(release, nodes=len(workers)))
    for node in workers:
        pods.settled(world, workloads.HANDLER, release, node=node, owner=daemon_set, at=at)
        world.available(release.image("virt-launcher"), node)
    for component in (workloads.OPERATOR, workloads.CONTROLLER):
        leader = world.of(component)[0]
        world.leader[component] = leader
        seconds = world.spec.lease_seconds
        _create(world, leaders.LEASES, platform.lease(component, leader.name, at=world.now, seconds=seconds))


def _guests(world: World, release: Release) -> None:
    spec, at = world.spec, world.now - _AGE / 2
    workers = world.workers
    for number, key in enumerate(guest_names(spec)):
        namespace, _, name = key.partition("/")
        guest = Guest(
            namespace=namespace,
            name=name,
            number=number,
            node=world.random.choice(workers),
            migratable=number < spec.guests - spec.stranded,
            vm_uid=world.cluster.new_uid(),
            vmi_uid=world.cluster.new_uid(),
            pod_uid=world.cluster.new_uid(),
            image=release.image("virt-launcher"),
        )
        guest.pod = f"virt-launcher-{guest.name}-{world.cluster.suffix()}"
        world.guests[guest.key] = guest
        stamp = times.seconds(at)
        world.cluster.create(VM, guests.machine(guest, at=at), stamp=stamp)
        world.cluster.create(VMI, guests.instance(guest, at=at), stamp=stamp)
        world.cluster.create("pods", launcher_pods.launcher(guest, at=at), stamp=stamp)


def _small_objects(world: World) -> None:
    for key, namespaced in _SMALL_KINDS.items():
        resource = world.cluster.resource(key)
        for number in range(world.spec.snapshots):
            metadata: JSON = {"name": f"{resource.singular.removeprefix('virtualmachine')}-{number}"}
            if namespaced:
                metadata["namespace"] = world.spec.namespaces[number % len(world.spec.namespaces)]
            _create(world, key, {"metadata": metadata, "spec": {}})


def _processes(world: World) -> None:
    for component in (workloads.OPERATOR, workloads.API, workloads.CONTROLLER):
        world.spawn(rollouts.deployment_controller(world, component), f"{component} deployment")
    world.spawn(rollouts.daemon_set_controller(world), "virt-handler daemon set")
    for component in (workloads.OPERATOR, workloads.CONTROLLER):
        world.spawn(leaders.election(world, component), f"{component} lease")
    for node in world.workers:
        world.spawn(nodes.heartbeat(world, node), f"heartbeat of {node}")
    for node in (*world.control_planes, *world.workers):
        world.spawn(nodes.kubelet(world, node), f"kubelet of {node}")
    world.spawn(migrations.labeller(world), "outdated labels")
