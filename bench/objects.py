"""Generated objects of realistic size, as the JSON bytes an API server sends. Deterministic."""

# ruff: noqa: E501 - documents read best with one object a line

import json
from collections.abc import Iterator
from typing import Any

GROUP = "kubevirt.io/v1"
_NODES = 100


def _managed_fields(size: int) -> list[dict[str, Any]]:
    fields: dict[str, Any] = {f"f:field{n}": {"f:inner": {}} for n in range(size // 27)}
    return [
        {
            "apiVersion": GROUP, "fieldsType": "FieldsV1", "fieldsV1": {"f:status": fields}, "manager": "virt-handler",
            "operation": "Update", "time": "2026-01-01T00:00:00Z",
        }
    ]  # fmt: skip


def _metadata(name: str, uid: str, version: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "name": name, "namespace": f"team-{int(uid[-4:]) % 20}", "uid": uid, "resourceVersion": str(version),
        "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 8, **more,
    }  # fmt: skip


def uid(prefix: str, n: int) -> str:
    """A UID."""
    return f"{prefix}0000-0000-4000-8000-{n:012d}"


def vmi(n: int, *, version: int, ready: bool = True, padding: int = 2400) -> bytes:
    """A running guest of 7 KB, a third of it managed fields."""
    name = f"vm-{n:06d}"
    volumes = [f"disk-{d}" for d in range(3)]
    document = {
        "apiVersion": GROUP, "kind": "VirtualMachineInstance",
        "metadata": _metadata(
            name, uid("aaaa", n), version,
            labels={"kubevirt.io/nodeName": f"node-{n % _NODES:03d}", "app": f"app-{n % 50}"},
            annotations={
                "kubevirt.io/latest-observed-api-version": "v1", "kubevirt.io/storage-observed-api-version": "v1",
                "kubevirt.io/vm-generation": "1", "vm.kubevirt.io/os": "linux", "vm.kubevirt.io/workload": "server",
            },
            finalizers=["kubevirt.io/virtualMachineControllerFinalize", "foregroundDeleteVirtualMachine"],
            ownerReferences=[{
                "apiVersion": GROUP, "kind": "VirtualMachine", "name": name, "uid": uid("bbbb", n), "controller": True,
                "blockOwnerDeletion": True,
            }],
            managedFields=_managed_fields(padding),
        ),
        "spec": {
            "domain": {
                "cpu": {"cores": 2, "sockets": 1, "threads": 1, "maxSockets": 4, "model": "host-model"},
                "memory": {"guest": "4Gi", "maxGuest": "16Gi"}, "resources": {"requests": {"memory": "4Gi"}},
                "features": {"acpi": {"enabled": True}, "smm": {"enabled": True}}, "machine": {"type": "q35"},
                "firmware": {"uuid": uid("dddd", n), "serial": uid("eeee", n), "bootloader": {"efi": {"secureBoot": True}}},
                "devices": {
                    "disks": [{"name": v, "disk": {"bus": "virtio"}} for v in volumes],
                    "interfaces": [{"name": f"net-{i}", "masquerade": {}, "macAddress": "02:00:00:00:00:01"} for i in range(2)],
                },
            },
            "networks": [{"name": f"net-{i}", "pod": {}} for i in range(2)],
            "volumes": [
                *({"name": v, "persistentVolumeClaim": {"claimName": f"{name}-{v}"}} for v in volumes),
                {"name": "cloudinit", "cloudInitNoCloud": {"userDataBase64": "I2Nsb3Vk" * 50}},
            ],
            "architecture": "amd64", "evictionStrategy": "LiveMigrate", "hostname": name, "terminationGracePeriodSeconds": 180,
        },
        "status": {
            "phase": "Running", "nodeName": f"node-{n % _NODES:03d}",
            "launcherContainerImageVersion": "registry.example/kubevirt/virt-launcher:v1.3.0",
            "activePods": {uid("cccc", n): f"node-{n % _NODES:03d}"},
            "conditions": [
                {"type": "Ready", "status": str(ready), "lastProbeTime": None, "lastTransitionTime": "2026-01-01T00:00:00Z"},
                {"type": "LiveMigratable", "status": "True", "lastProbeTime": None, "lastTransitionTime": None},
                {"type": "AgentConnected", "status": "True", "lastProbeTime": "2026-01-01T00:00:00Z", "lastTransitionTime": None},
            ],
            "guestOSInfo": {"id": "fedora", "name": "Fedora Linux", "version": "40", "kernelRelease": "6.8.5-301.fc40.x86_64"},
            "interfaces": [
                {"name": f"net-{i}", "ipAddress": "10.0.0.1", "ipAddresses": ["10.0.0.1", "fe80::1"], "mac": "02:00:00:00:00:01",
                 "infoSource": "domain, guest-agent", "queueCount": 1}
                for i in range(2)
            ],
            "volumeStatus": [
                {"name": v, "target": "vda", "persistentVolumeClaimInfo": {
                    "accessModes": ["ReadWriteMany"], "capacity": {"storage": "30Gi"}, "requests": {"storage": "30Gi"},
                    "volumeMode": "Block", "filesystemOverhead": "0.055"}}
                for v in volumes
            ],
            "phaseTransitionTimestamps": [
                {"phase": p, "phaseTransitionTimestamp": "2026-01-01T00:00:00Z"}
                for p in ("Pending", "Scheduling", "Scheduled", "Running")
            ],
            "migrationMethod": "LiveMigration", "migrationTransport": "Unix", "qosClass": "Burstable",
            "machine": {"type": "pc-q35-rhel9.4.0"}, "runtimeUser": 107,
            "currentCPUTopology": {"cores": 2, "sockets": 1, "threads": 1},
            "memory": {"guestAtBoot": "4Gi", "guestCurrent": "4Gi", "guestRequested": "4Gi"},
            "virtualMachineRevisionName": f"revision-start-vm-{uid('bbbb', n)}-1",
        },
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def vm(n: int, *, version: int) -> bytes:
    """A VirtualMachine of about 4 KB."""
    name = f"vm-{n:06d}"
    document = {
        "apiVersion": GROUP, "kind": "VirtualMachine",
        "metadata": _metadata(name, uid("bbbb", n), version, managedFields=_managed_fields(2400)),
        "spec": {"runStrategy": "Always", "template": {"spec": {"domain": {"cpu": {"cores": 2}}, "volumes": []}}},
        "status": {"created": True, "ready": True, "printableStatus": "Running", "runStrategy": "Always"},
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def launcher(n: int, *, version: int) -> bytes:
    """A virt-launcher pod of about 14 KB."""
    name = f"vm-{n:06d}"
    document = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": _metadata(
            f"virt-launcher-{name}-abcde", uid("cccc", n), version,
            labels={"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": uid("aaaa", n), "vm.kubevirt.io/name": name},
            ownerReferences=[{
                "apiVersion": GROUP, "kind": "VirtualMachineInstance", "name": name, "uid": uid("aaaa", n), "controller": True,
            }],
            managedFields=_managed_fields(6000),
        ),
        "spec": {
            "nodeName": f"node-{n % _NODES:03d}", "terminationGracePeriodSeconds": 210,
            "containers": [{
                "name": "compute", "image": "registry.example/kubevirt/virt-launcher:v1.3.0",
                "command": ["/usr/bin/virt-launcher-monitor", *[f"--flag-{i}={'x' * 60}" for i in range(60)]],
            }],
        },
        "status": {
            "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{
                "name": "compute", "ready": True, "restartCount": 0, "image": "registry.example/kubevirt/virt-launcher:v1.3.0",
                "imageID": "registry.example/kubevirt/virt-launcher@sha256:" + "0" * 64,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }],
        },
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def everything(count: int) -> Iterator[tuple[str, list[bytes]]]:
    """Items by plural, so many of each."""
    yield "virtualmachineinstances", [vmi(n, version=n + 1) for n in range(count)]
    yield "virtualmachines", [vm(n, version=n + 1) for n in range(count)]
    yield "pods", [launcher(n, version=n + 1) for n in range(count)]
