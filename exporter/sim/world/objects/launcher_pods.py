"""Launcher pods: the pods that guests run in."""

from __future__ import annotations

import hashlib

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.world.objects import guests
from exporter.sim.world.objects.guests import DISK_IMAGE, OUTDATED, Guest
from exporter.sim.world.objects.workloads import image_id

PAUSE_GATE = "kubevirt.io/virtual-machine-unpaused"
GATE_MISSING = f'corresponding condition of pod readiness gate "{PAUSE_GATE}" does not exist.'
_VOLUMES = ("private", "public", "sockets", "virt-bin-share-dir", "libvirt-runtime", "ephemeral-disks",
            "container-disks", "hotplug-disks")  # fmt: skip


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
        "podIP": guests.pod_address(guest.number),
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
        **guests.own_labels(guest),
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
            "ownerReferences": [guests.owned_by("VirtualMachineInstance", guest.name, guest.vmi_uid)],
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
