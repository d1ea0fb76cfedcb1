"""VirtualMachines, their instances and migrations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from exporter.sim import times
from exporter.sim.refusals import JSON

DISK_IMAGE = "quay.io/containerdisks/fedora:39"
OBSERVED = {"kubevirt.io/latest-observed-api-version": "v1", "kubevirt.io/storage-observed-api-version": "v1"}
OUTDATED = "kubevirt.io/outdatedLauncherImage"
NOT_MIGRATABLE = (
    "cannot migrate VMI which does not use masquerade, bridge with kubevirt.io/allow-pod-bridge-network-live-migration "
    "VM annotation or a migratable plugin to connect to the pod network"
)


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
                "metadata": {"creationTimestamp": None, "labels": own_labels(guest)},
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
            "labels": {**own_labels(guest), "kubevirt.io/nodeName": guest.node},
            "name": guest.name,
            "namespace": guest.namespace,
            "ownerReferences": [owned_by("VirtualMachine", guest.name, guest.vm_uid)],
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


def pod_address(number: int) -> str:
    """An address of the pod network for any number."""
    return f"10.{128 + number // 62500}.{number // 250 % 250}.{number % 250 + 2}"


def own_labels(guest: Guest) -> dict[str, str]:
    """The labels of a guest's template: its instance and its launchers have them."""
    return {"app": f"app-{guest.number % 8}", "kubevirt.io/domain": guest.name}


def owned_by(kind: str, name: str, uid: str) -> JSON:
    """An owner reference to a machine or an instance."""
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
