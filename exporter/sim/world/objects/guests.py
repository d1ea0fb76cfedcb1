"""VirtualMachines, their instances, launcher pods and migrations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.world.objects.workloads import image_id
from exporter.sim.world.releases import Release

DISK_IMAGE = "quay.io/containerdisks/fedora:39"
OBSERVED = {"kubevirt.io/latest-observed-api-version": "v1", "kubevirt.io/storage-observed-api-version": "v1"}
OUTDATED = "kubevirt.io/outdatedLauncherImage"
NOT_MIGRATABLE = (
    "cannot migrate VMI which does not use masquerade, bridge with kubevirt.io/allow-pod-bridge-network-live-migration "
    "VM annotation or a migratable plugin to connect to the pod network"
)
PAUSE_GATE = "kubevirt.io/virtual-machine-unpaused"
GATE_MISSING = f'corresponding condition of pod readiness gate "{PAUSE_GATE}" does not exist.'


@dataclass(slots=True)
class Guest:
    """What the world remembers of a guest; everything else is in its objects."""

    namespace: str
    name: str
    number: int
    node: str
    migratable: bool = True
    vm_uid: str = ""
    vmi_uid: str = ""
    pod: str = ""
    pod_uid: str = ""
    image: str = ""  # of the launcher it runs in
    running: bool = True  # as its objects say
    busy: bool = False  # something is being done to it: a migration, a stop, an accident

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


def machine(guest: Guest, *, at: float) -> JSON:
    """A VirtualMachine that runs."""
    spec = _domain_spec(guest)
    del spec["domain"]["firmware"]
    return {
        "metadata": {
            "annotations": dict(OBSERVED),
            "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"],
            "labels": {"owner": guest.namespace},
            "name": guest.name,
            "namespace": guest.namespace,
            "uid": guest.vm_uid,
        },
        "spec": {
            "runStrategy": "Always",
            "template": {
                "metadata": {"creationTimestamp": None, "labels": _own_labels(guest)},
                "spec": spec,
            },
        },
        "status": {
            "conditions": _conditions(guest, at),
            "created": True,
            "desiredGeneration": 1,
            "observedGeneration": 1,
            "printableStatus": "Running",
            "ready": True,
            "runStrategy": "Always",
            "volumeSnapshotStatuses": [
                {"enabled": False, "name": name,
                 "reason": f"Snapshot is not supported for this volumeSource type [{name}]"}
                for name in ("root", "ci")
            ],
        },
    }  # fmt: skip


def instance(guest: Guest, *, at: float, booted: float = 10.0) -> JSON:
    """A VirtualMachineInstance that has run since `booted` seconds after `at`."""
    address = pod_address(guest.number)
    return {
        "metadata": {
            "annotations": {**OBSERVED, "kubevirt.io/vm-generation": "1"},
            "finalizers": ["kubevirt.io/virtualMachineControllerFinalize", "foregroundDeleteVirtualMachine"],
            "labels": {**_own_labels(guest), "kubevirt.io/nodeName": guest.node},
            "name": guest.name,
            "namespace": guest.namespace,
            "ownerReferences": [_owned_by("VirtualMachine", guest.name, guest.vm_uid)],
            "uid": guest.vmi_uid,
        },
        "spec": _domain_spec(guest),
        "status": {
            "activePods": {guest.pod_uid: guest.node},
            "conditions": _conditions(guest, at + 4),
            "currentCPUTopology": {"cores": 2, "sockets": 1, "threads": 1},
            "guestOSInfo": {
                "id": "fedora", "kernelRelease": "6.5.6-300.fc39.x86_64", "machine": "x86_64", "name": "Fedora Linux",
                "kernelVersion": "#1 SMP PREEMPT_DYNAMIC", "prettyName": "Fedora Linux 39 (Cloud Edition)",
                "version": "39 (Cloud Edition)", "versionId": "39",
            },
            "interfaces": [{
                "infoSource": "domain, guest-agent", "interfaceName": "eth0", "ipAddress": address,
                "ipAddresses": [address], "mac": _mac(guest), "name": "default", "queueCount": 1,
            }],
            "launcherContainerImageVersion": guest.image,
            "machine": {"type": "pc-q35-rhel9.4.0"},
            "memory": {"guestAtBoot": "1Gi", "guestCurrent": "1Gi", "guestRequested": "1Gi"},
            "migrationMethod": "BlockMigration",
            "migrationTransport": "Unix",
            "nodeName": guest.node,
            "phase": "Running",
            "phaseTransitionTimestamps": [
                {"phase": phase, "phaseTransitionTimestamp": times.seconds(at + later)}
                for phase, later in (("Pending", 0), ("Scheduling", 0), ("Scheduled", booted / 2), ("Running", booted))
            ],
            "qosClass": "Burstable",
            "runtimeUser": 107,
            "selinuxContext": "none",
            "virtualMachineRevisionName": f"revision-start-vm-{guest.vm_uid}-1",
            "volumeStatus": [{"name": "ci", "target": "vda"}, {"name": "root", "target": "vdb"}],
        },
    }  # fmt: skip


def new_instance(guest: Guest) -> JSON:
    """A VirtualMachineInstance as virt-controller creates it: nothing is scheduled."""
    body = instance(guest, at=0.0)
    metadata = body["metadata"]
    del metadata["labels"]["kubevirt.io/nodeName"]
    body["status"] = {"phase": "Pending", "runtimeUser": 107}
    return body


def launcher(guest: Guest, *, at: float) -> JSON:
    """The launcher pod of a guest that runs."""
    body = new_launcher(guest, image=guest.image)
    body["metadata"]["uid"] = guest.pod_uid
    body["spec"]["nodeName"] = guest.node
    body["status"] = {
        "phase": "Running",
        "conditions": [
            _pod_condition(kind, at)
            for kind in ("PodReadyToStartContainers", "Initialized", "PodScheduled", "ContainersReady", "Ready")
        ]
        + [unpaused(at)],
        "hostIP": "192.168.66.50",
        "podIP": pod_address(guest.number),
        "startTime": times.seconds(at),
        "initContainerStatuses": [
            container_status(name, image, {"terminated": _completed(at)}, ready=True, started=False)
            for name, image in (("container-disk-binary", guest.image), ("volumeroot-init", DISK_IMAGE))
        ],
        "containerStatuses": [
            container_status(name, image, {"running": {"startedAt": times.seconds(at)}}, ready=True, started=True)
            for name, image in compute_containers(guest.image)
        ],
        "qosClass": "Burstable",
    }
    return body


def new_launcher(guest: Guest, *, image: str, migration: JSON | None = None) -> JSON:
    """A launcher pod as it is created; `migration` is the migration it is a target of."""
    labels = {
        **_own_labels(guest),
        "kubevirt.io": "virt-launcher",
        "kubevirt.io/created-by": guest.vmi_uid,
        "vm.kubevirt.io/name": guest.name,
    }
    annotations = {
        "kubectl.kubernetes.io/default-container": "compute",
        "kubevirt.io/domain": guest.name,
        "kubevirt.io/migrationTransportUnix": "true",
        "kubevirt.io/vm-generation": "1",
        "post.hook.backup.velero.io/container": "compute",
        "pre.hook.backup.velero.io/container": "compute",
    }
    affinity: JSON = {}
    if migration is not None:
        labels |= {
            "kubevirt.io/migrationJobUID": migration["metadata"]["uid"],
            "kubevirt.io/nodeName": guest.node,
            OUTDATED: "",
        }
        annotations["kubevirt.io/migrationJobName"] = migration["metadata"]["name"]
        term = {"labelSelector": {"matchLabels": {"kubevirt.io/created-by": guest.vmi_uid}},
                "topologyKey": "kubernetes.io/hostname"}  # fmt: skip
        affinity = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    return {
        "metadata": {
            "generateName": f"virt-launcher-{guest.name}-",
            "name": guest.pod,
            "namespace": guest.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [_owned_by("VirtualMachineInstance", guest.name, guest.vmi_uid)],
        },
        "spec": {
            **affinity,
            "volumes": [{"name": name, "emptyDir": {}} for name in _VOLUMES],
            "initContainers": [_container(name, of, guest) for name, of in
                               (("container-disk-binary", image), ("volumeroot-init", DISK_IMAGE))],
            "containers": [_container(name, of, guest) for name, of in compute_containers(image)],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 90,
            "nodeSelector": {"kubernetes.io/arch": "amd64", "kubevirt.io/schedulable": "true"},
            "serviceAccountName": "default",
            "automountServiceAccountToken": False,
            "hostname": guest.name,
            "readinessGates": [{"conditionType": PAUSE_GATE}],
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }  # fmt: skip


def compute_containers(image: str) -> tuple[tuple[str, str], ...]:
    """Name and image of each container of a launcher pod."""
    return (("compute", image), ("volumeroot", DISK_IMAGE), ("guest-console-log", image))


def migration(guest: Guest, *, prefix: str = "kubevirt-workload-update-") -> JSON:
    """A VirtualMachineInstanceMigration as the workload updater creates it."""
    return {
        "metadata": {
            "annotations": {"kubevirt.io/workloadUpdateMigration": ""},
            "finalizers": ["kubevirt.io/migrationJobFinalize"],
            "generateName": prefix,
            "labels": {"kubevirt.io/vmi-name": guest.name},
            "namespace": guest.namespace,
        },
        "spec": {"vmiName": guest.name},
    }


MIGRATION_SETTINGS = {
    "allowAutoConverge": False,
    "allowPostCopy": False,
    "bandwidthPerMigration": "0",
    "completionTimeoutPerGiB": 150,
    "nodeDrainTaintKey": "kubevirt.io/drain",
    "parallelMigrationsPerCluster": 5,
    "parallelOutboundMigrationsPerNode": 2,
    "progressTimeout": 150,
    "unsafeMigrationOverride": False,
}


def kubevirt(release: Release, *, methods: list[str], outdated: int, at: float, namespace: str) -> JSON:
    """The KubeVirt object of an installation at rest."""
    now = times.seconds(at)
    return {
        "metadata": {
            "annotations": dict(OBSERVED),
            "finalizers": ["foregroundDeleteKubeVirt"],
            "name": "kubevirt",
            "namespace": namespace,
        },
        "spec": {
            "certificateRotateStrategy": {},
            "configuration": {
                "developerConfiguration": {},
                "migrations": {"parallelMigrationsPerCluster": 5, "parallelOutboundMigrationsPerNode": 2},
            },
            "customizeComponents": {},
            "imagePullPolicy": "IfNotPresent",
            "workloadUpdateStrategy": {
                "batchEvictionInterval": "30s",
                "batchEvictionSize": 10,
                "workloadUpdateMethods": methods,
            },
        },
        "status": {
            "conditions": [
                *ready_conditions(now),
                {"lastProbeTime": now, "lastTransitionTime": None, "message": "All resources were created.",
                 "reason": "AllResourcesCreated", "status": "True", "type": "Created"},
            ],
            "defaultArchitecture": "amd64",
            "generations": [],
            "observedDeploymentConfig": release.config,
            "observedDeploymentID": release.id,
            "observedGeneration": 1,
            "observedKubeVirtRegistry": release.registry,
            "observedKubeVirtVersion": release.version,
            "operatorVersion": release.version,
            "outdatedVirtualMachineInstanceWorkloads": outdated,
            "phase": "Deployed",
            "targetDeploymentConfig": release.config,
            "targetDeploymentID": release.id,
            "targetKubeVirtRegistry": release.registry,
            "targetKubeVirtVersion": release.version,
        },
    }  # fmt: skip


def ready_conditions(now: str) -> list[JSON]:
    """The conditions of KubeVirt at rest, `Created` apart."""
    return [
        {"lastProbeTime": now, "lastTransitionTime": now, "message": "All components are ready.",
         "reason": "AllComponentsReady", "status": status, "type": kind}
        for kind, status in (("Available", "True"), ("Progressing", "False"), ("Degraded", "False"))
    ]  # fmt: skip


def pod_address(number: int) -> str:
    """An address of the pod network for any number."""
    return f"10.{128 + number // 62500}.{number // 250 % 250}.{number % 250 + 2}"


def container_status(name: str, image: str, state: JSON, *, ready: bool, started: bool) -> JSON:
    """One entry of `containerStatuses` that never restarted."""
    waiting = "waiting" in state
    digest = hashlib.sha256(f"{image} {name}".encode()).hexdigest()
    return {
        "name": name,
        "state": state,
        "lastState": {},
        "ready": ready,
        "restartCount": 0,
        "image": image,
        "imageID": "" if waiting else image_id(image),
        **({} if waiting else {"containerID": f"cri-o://{digest}"}),
        "started": started,
    }


def unpaused(at: float) -> JSON:
    """The condition that opens the readiness gate of a launcher."""
    now = times.seconds(at)
    return {"type": PAUSE_GATE, "status": "True", "lastProbeTime": now, "lastTransitionTime": now,
            "reason": "NotPaused", "message": "the virtual machine is not paused"}  # fmt: skip


_VOLUMES = ("private", "public", "sockets", "virt-bin-share-dir", "libvirt-runtime", "ephemeral-disks",
            "container-disks", "hotplug-disks")  # fmt: skip


def _pod_condition(kind: str, at: float) -> JSON:
    return {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": times.seconds(at)}


def _completed(at: float) -> JSON:
    now = times.seconds(at)
    return {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}


def _container(name: str, image: str, guest: Guest) -> JSON:
    body: JSON = {
        "name": name,
        "image": image,
        "command": ["/usr/bin/virt-launcher-monitor" if name == "compute" else f"/usr/bin/{name}"],
        "resources": {"requests": {"cpu": "10m", "memory": "40M"}},
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsUser": 107, "runAsNonRoot": True,
                            "allowPrivilegeEscalation": False},
    }  # fmt: skip
    if name == "compute":
        body["args"] = [
            "--qemu-timeout", "293s", "--name", guest.name, "--uid", guest.vmi_uid, "--namespace", guest.namespace,
            "--kubevirt-share-dir", "/var/run/kubevirt", "--grace-period-seconds", "75", "--run-as-nonroot",
        ]  # fmt: skip
        devices = {f"devices.kubevirt.io/{name}": "1" for name in ("kvm", "tun", "vhost-net")}
        body["resources"] = {"limits": devices, "requests": {"cpu": "200m", "memory": "1276Mi", **devices}}
    return body


def _own_labels(guest: Guest) -> dict[str, str]:
    return {"app": f"app-{guest.number % 8}", "kubevirt.io/domain": guest.name}


def _owned_by(kind: str, name: str, uid: str) -> JSON:
    return {"apiVersion": "kubevirt.io/v1", "blockOwnerDeletion": True, "controller": True, "kind": kind,
            "name": name, "uid": uid}  # fmt: skip


def _mac(guest: Guest) -> str:
    digest = hashlib.md5(guest.key.encode(), usedforsecurity=False).hexdigest()
    return ":".join(["02", *(digest[position : position + 2] for position in range(0, 10, 2))])


def _conditions(guest: Guest, at: float) -> list[JSON]:
    live: JSON = {"lastProbeTime": None, "lastTransitionTime": None, "status": "True", "type": "LiveMigratable"}
    if not guest.migratable:
        live |= {"message": NOT_MIGRATABLE, "reason": "InterfaceNotLiveMigratable", "status": "False"}
    return [
        {"lastProbeTime": None, "lastTransitionTime": times.seconds(at), "status": "True", "type": "Ready"},
        live,
        {
            "lastProbeTime": times.seconds(at + 6),
            "lastTransitionTime": None,
            "status": "True",
            "type": "AgentConnected",
        },
    ]


def _domain_spec(guest: Guest) -> JSON:
    interface: JSON = {"masquerade": {}, "name": "default"} if guest.migratable else {"bridge": {}, "name": "default"}
    return {
        "architecture": "amd64",
        "domain": {
            "cpu": {"cores": 2, "model": "host-model"},
            "devices": {
                "disks": [{"disk": {"bus": "virtio"}, "name": name} for name in ("root", "ci")],
                "interfaces": [interface],
                "rng": {},
            },
            "features": {"acpi": {"enabled": True}},
            "firmware": {"uuid": f"00000000-0000-4000-8000-{guest.number:012d}"},
            "machine": {"type": "q35"},
            "memory": {"guest": "1Gi"},
            "resources": {"requests": {"memory": "1Gi"}},
        },
        "evictionStrategy": "LiveMigrate" if guest.migratable else "None",
        "networks": [{"name": "default", "pod": {}}],
        "terminationGracePeriodSeconds": 60,
        "volumes": [
            {"containerDisk": {"image": DISK_IMAGE, "imagePullPolicy": "IfNotPresent"}, "name": "root"},
            {"cloudInitNoCloud": {"userData": "#cloud-config\nhostname: x\n"}, "name": "ci"},
        ],
    }
