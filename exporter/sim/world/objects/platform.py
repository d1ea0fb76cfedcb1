"""Nodes, namespaces, custom resource definitions, webhook configurations, APIServices, Services, Leases, Jobs."""

from __future__ import annotations

import base64
import hashlib

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.world import releases
from exporter.sim.world.releases import Definition, Release

NAMESPACE = "kubevirt"
_MANAGED = {"app.kubernetes.io/component": "kubevirt", "app.kubernetes.io/managed-by": "virt-operator"}
_DEVICES = ("devices.kubevirt.io/kvm", "devices.kubevirt.io/tun", "devices.kubevirt.io/vhost-net")
_CPU_MODELS = (
    "Broadwell-noTSX", "Broadwell-noTSX-IBRS", "Cascadelake-Server", "Cascadelake-Server-noTSX", "Haswell-noTSX",
    "Haswell-noTSX-IBRS", "IvyBridge", "IvyBridge-IBRS", "Nehalem", "Nehalem-IBRS", "Penryn", "SandyBridge",
    "SandyBridge-IBRS", "Skylake-Client-IBRS", "Skylake-Server", "Skylake-Server-IBRS", "Westmere", "Westmere-IBRS",
)  # fmt: skip


def namespace(name: str) -> JSON:
    """A Namespace."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def node(name: str, *, number: int, worker: bool, kubernetes: str, at: float) -> JSON:
    """A Node; `worker`: KubeVirt runs guests on it."""
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": f"zone-{'ab'[number % 2]}",
    }
    annotations = {
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    }
    resources = {"cpu": "64", "memory": "263935844Ki", "pods": "250", "ephemeral-storage": "103864300Ki"}
    spec: JSON = {"podCIDR": f"10.{number // 250}.{number % 250}.0/24", "providerID": f"sim://{name}"}
    if worker:
        labels |= {f"cpu-model.node.kubevirt.io/{model}": "true" for model in _CPU_MODELS}
        labels |= {f"cpu-model-migration.node.kubevirt.io/{model}": "true" for model in _CPU_MODELS}
        labels |= {
            "cpu-vendor.node.kubevirt.io/Intel": "true",
            "host-model-cpu.node.kubevirt.io/Cascadelake-Server": "true",
            "kubevirt.io/cpumanager": "false",
            "kubevirt.io/schedulable": "true",
            "node-role.kubernetes.io/worker": "",
        }
        annotations |= {"kubevirt.io/heartbeat": times.seconds(at), "kubevirt.io/ksm-handler-managed": "false"}
        resources |= dict.fromkeys(_DEVICES, "1k")
    else:
        labels["node-role.kubernetes.io/control-plane"] = ""
        spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    identity = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    return {
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": spec,
        "status": {
            "capacity": dict(resources),
            "allocatable": dict(resources),
            "conditions": [
                _node_condition("MemoryPressure", "False", "KubeletHasSufficientMemory", at),
                _node_condition("DiskPressure", "False", "KubeletHasNoDiskPressure", at),
                _node_condition("PIDPressure", "False", "KubeletHasSufficientPID", at),
                _node_condition("Ready", "True", "KubeletReady", at),
            ],
            "addresses": [
                {"type": "InternalIP", "address": node_address(number)},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": identity[:32], "systemUUID": identity[:32], "bootID": identity[8:40],
                "kernelVersion": "5.14.0-427.el9.x86_64", "osImage": "CentOS Stream 9",
                "containerRuntimeVersion": f"cri-o://{kubernetes.removeprefix('v')}", "kubeletVersion": kubernetes,
                "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64",
            },
        },
    }  # fmt: skip


def node_address(number: int) -> str:
    """The address of the node of that number."""
    return f"192.168.{66 + number // 200}.{number % 200 + 50}"


def _node_condition(kind: str, status: str, reason: str, at: float) -> JSON:
    now = times.seconds(at)
    return {
        "type": kind, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": now, "reason": reason,
        "message": f"kubelet: {reason}",
    }  # fmt: skip


def definition(what: Definition, release: Release, *, status: bool | None = None) -> JSON:
    """A CustomResourceDefinition. `status`: whether its versions have the status subresource; None: as shipped."""
    with_status = what.status if status is None else status
    of_release = "every release" if what.steady else release.version
    served = [
        {
            **version,
            **({"subresources": {"status": {}}} if with_status else {}),
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "description": f"{what.kind} as of {of_release}.",
                    "x-kubernetes-preserve-unknown-fields": True,
                }
            },
        }
        for version in releases.versions(what, release)
    ]
    names: JSON = {
        "plural": what.plural, "singular": what.kind.lower(), "kind": what.kind, "listKind": f"{what.kind}List",
        "categories": ["all"],
    }  # fmt: skip
    if what.short_names:
        names["shortNames"] = list(what.short_names)
    metadata: JSON = {
        "name": what.name,
        "labels": {**_MANAGED, "kubevirt.io": ""},
        "annotations": {"kubevirt.io/generation": "2", **release.stamps},
    }
    if what == releases.KUBEVIRTS:
        metadata = {"name": what.name, "labels": {"operator.kubevirt.io": ""}}
    return {
        "metadata": metadata,
        "spec": {
            "group": what.group,
            "names": names,
            "scope": "Namespaced" if what.namespaced else "Cluster",
            "conversion": {"strategy": "None"},
            "versions": served,
        },
    }


def ca_bundle(generation: int) -> str:
    """Text as long as a certificate, another one for each generation; twice as long while two are trusted."""
    seed = hashlib.sha512(f"ca {generation}".encode()).digest() * 9
    return base64.b64encode(seed * (1 + generation % 2)).decode()


_WEBHOOKS = {
    "virt-operator-validator": (
        ("kubevirt-validator.kubevirt.io", "kubevirt.io", "kubevirts", "DELETE"),
        ("kubevirt-update-validator.kubevirt.io", "kubevirt.io", "kubevirts", "UPDATE"),
        ("kubevirt-create-validator.kubevirt.io", "kubevirt.io", "kubevirts", "CREATE"),
    ),
    "virt-api-validator": (
        ("virtualmachineinstances-create-validator.kubevirt.io", "kubevirt.io", "virtualmachineinstances", "CREATE"),
        ("virtualmachineinstances-update-validator.kubevirt.io", "kubevirt.io", "virtualmachineinstances", "UPDATE"),
        ("virtualmachine-validator.kubevirt.io", "kubevirt.io", "virtualmachines", "CREATE"),
        ("virtualmachinereplicaset-validator.kubevirt.io", "kubevirt.io", "virtualmachineinstancereplicasets",
         "CREATE"),
        ("virtualmachinepool-validator.kubevirt.io", "pool.kubevirt.io", "virtualmachinepools", "CREATE"),
        ("migration-create-validator.kubevirt.io", "kubevirt.io", "virtualmachineinstancemigrations", "CREATE"),
        ("virtualmachinesnapshot-validator.snapshot.kubevirt.io", "snapshot.kubevirt.io", "virtualmachinesnapshots",
         "CREATE"),
        ("virtualmachineexport-validator.export.kubevirt.io", "export.kubevirt.io", "virtualmachineexports", "CREATE"),
        ("vm-clone-validator.kubevirt.io", "clone.kubevirt.io", "virtualmachineclones", "CREATE"),
    ),
    "virt-api-mutator": (
        ("virtualmachines-mutator.kubevirt.io", "kubevirt.io", "virtualmachines", "CREATE"),
        ("virtualmachineinstances-mutator.kubevirt.io", "kubevirt.io", "virtualmachineinstances", "CREATE"),
        ("migrations-mutator.kubevirt.io", "kubevirt.io", "virtualmachineinstancemigrations", "CREATE"),
        ("virtualmachineclones-mutator.kubevirt.io", "clone.kubevirt.io", "virtualmachineclones", "CREATE"),
    ),
}  # fmt: skip
WEBHOOK_CONFIGURATIONS = {
    "virt-operator-validator": "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "virt-api-validator": "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "virt-api-mutator": "mutatingwebhookconfigurations.admissionregistration.k8s.io",
}


def webhooks(name: str, release: Release) -> JSON:
    """A webhook configuration of KubeVirt, by its name."""
    service = "kubevirt-operator-webhook" if name == "virt-operator-validator" else "virt-api"
    return {
        "metadata": {
            "name": name,
            "labels": {**_MANAGED, "kubevirt.io": name},
            "annotations": {"certificates.kubevirt.io/secret": f"kubevirt-{service}-certs", **release.stamps},
        },
        "webhooks": [
            {
                "name": hook,
                "clientConfig": {
                    "service": {"namespace": NAMESPACE, "name": service, "path": f"/{resource}", "port": 443},
                    "caBundle": ca_bundle(0),
                },
                "rules": [{"operations": [operation], "apiGroups": [group], "apiVersions": ["v1alpha3", "v1"],
                           "resources": [resource], "scope": "*"}],
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "sideEffects": "None",
                "timeoutSeconds": 10,
                "admissionReviewVersions": ["v1", "v1beta1"],
            }
            for hook, group, resource, operation in _WEBHOOKS[name]
        ],
    }  # fmt: skip


def temporary_webhook(suffix: str, release: Release, plurals: list[str]) -> JSON:
    """The configuration that forbids objects of brand-new kinds until virt-api can validate them."""
    body = webhooks("virt-operator-validator", release)
    body["metadata"] = {"name": f"virt-operator-tmp-webhook{suffix}", "labels": dict(_MANAGED)}
    body["webhooks"] = body["webhooks"][:1]
    body["webhooks"][0]["rules"][0]["resources"] = plurals
    return body


def api_service(version: str, release: Release, *, at: float) -> JSON:
    """The APIService of the aggregated API, for one of its versions."""
    return {
        "metadata": {
            "name": f"{version}.subresources.kubevirt.io",
            "labels": {**_MANAGED, "kubevirt.io": "virt-api-aggregator"},
            "annotations": {"certificates.kubevirt.io/secret": "kubevirt-virt-api-certs", **release.stamps},
        },
        "spec": {
            "service": {"namespace": NAMESPACE, "name": "virt-api", "port": 443},
            "group": "subresources.kubevirt.io",
            "version": version,
            "caBundle": ca_bundle(0),
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
        },
        "status": {"conditions": [_available(at, "Passed", "all checks passed")]},
    }


def local_api_service(group: str, version: str, *, at: float) -> JSON:
    """The APIService that the API server itself makes for each group and version it serves."""
    return {
        "metadata": {
            "name": f"{version}.{group}",
            "labels": {"kube-aggregator.kubernetes.io/automanaged": "true"},
        },
        "spec": {"group": group, "version": version, "groupPriorityMinimum": 1000, "versionPriority": 100},
        "status": {"conditions": [_available(at, "Local", "Local APIServices are always available")]},
    }


def _available(at: float, reason: str, message: str) -> JSON:
    return {
        "type": "Available", "status": "True", "lastTransitionTime": times.seconds(at), "reason": reason,
        "message": message,
    }  # fmt: skip


SERVICES = ("kubevirt-operator-webhook", "kubevirt-prometheus-metrics", "virt-api", "virt-exportproxy")


def service(name: str, release: Release) -> JSON:
    """A Service of the install namespace."""
    return {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {**_MANAGED, "kubevirt.io": name},
            "annotations": {"kubevirt.io/generation": "2", **release.stamps},
        },
        "spec": {"ports": [{"protocol": "TCP", "port": 443, "targetPort": 8443}], "selector": {"kubevirt.io": name},
                 "type": "ClusterIP", "sessionAffinity": "None"},
        "status": {"loadBalancer": {}},
    }  # fmt: skip


def disruption_budget(component: str, release: Release, *, replicas: int) -> JSON:
    """The PodDisruptionBudget virt-operator makes for a Deployment."""
    return {
        "metadata": {
            "name": f"{component}-pdb",
            "namespace": NAMESPACE,
            "labels": {**_MANAGED, "kubevirt.io": f"{component}-pdb"},
            "annotations": {"kubevirt.io/generation": "2", **release.stamps},
        },
        "spec": {"minAvailable": replicas - 1, "selector": {"matchLabels": {"kubevirt.io": component}}},
        "status": {"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": replicas,
                   "desiredHealthy": replicas - 1, "expectedPods": replicas},
    }  # fmt: skip


def lease(name: str, holder: str, *, at: float, seconds: int) -> JSON:
    """A Lease that `holder` has just acquired."""
    return {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "acquireTime": times.micros(at),
            "renewTime": times.micros(at),
            "leaseTransitions": 0,
        },
    }


def strategy(suffix: str, release: Release) -> JSON:
    """The ConfigMap in which the install-strategy Job leaves its manifests (which we leave out)."""
    return {
        "metadata": {
            "name": f"kubevirt-install-strategy-{suffix}",
            "generateName": "kubevirt-install-strategy-",
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "virt-operator", "kubevirt.io/install-strategy": ""},
            "annotations": {"kubevirt.io/install-strategy-cm-encoding": "gzip+base64", **release.stamps},
        },
        "data": {"manifests": "H4sIAAAAAAAA"},
    }


def install_job(suffix: str, release: Release, *, operator: Release) -> JSON:
    """The Job that writes the manifests of `release`, run with the image of `operator`."""
    name = f"kubevirt-{release.id}-job{suffix}"
    container = {
        "name": "install-strategy-upload",
        "image": operator.image("virt-operator"),
        "command": ["virt-operator", "--dump-install-strategy"],
        "env": [{"name": "TARGET_INSTALL_NAMESPACE", "value": NAMESPACE},
                {"name": "TARGET_DEPLOYMENT_CONFIG", "value": release.config}],
        "resources": {},
    }  # fmt: skip
    return {
        "metadata": {
            "name": name,
            "generateName": f"kubevirt-{release.id}-job",
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "virt-operator", "kubevirt.io": "",
                       "kubevirt.io/install-strategy": ""},
            "annotations": release.stamps,
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "selector": {"matchLabels": {"batch.kubernetes.io/job-name": name}},
            "template": {
                "metadata": {"labels": {"batch.kubernetes.io/job-name": name,
                                        "kubevirt.io": "virt-operator-strategy-dumper"}},
                "spec": {"containers": [container], "restartPolicy": "Never",
                         "serviceAccountName": "kubevirt-operator"},
            },
        },
        "status": {},
    }  # fmt: skip
