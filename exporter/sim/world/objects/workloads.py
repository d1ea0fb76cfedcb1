"""Deployments, ReplicaSets, the DaemonSet, and the pods of the control plane."""

from __future__ import annotations

import hashlib
from typing import Any

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.releases import Release

OPERATOR, API, CONTROLLER, HANDLER = "virt-operator", "virt-api", "virt-controller", "virt-handler"
JOB = "install-strategy"
_ACCOUNTS = {API: "kubevirt-apiserver", CONTROLLER: "kubevirt-controller", HANDLER: "kubevirt-handler",
             OPERATOR: "kubevirt-operator"}  # fmt: skip
_READINESS = {API: "/apis/subresources.kubevirt.io/v1/healthz", CONTROLLER: "/leader", HANDLER: "/healthz",
              OPERATOR: "/metrics"}  # fmt: skip


def deployment(component: str, release: Release, *, replicas: int, at: float) -> JSON:
    """A Deployment that is completely rolled out."""
    now = times.seconds(at)
    replica_set = f"{component}-{release.template_hash(component)}"
    return {
        "metadata": {
            "name": component,
            "namespace": NAMESPACE,
            "labels": _labels(component, release),
            "annotations": {"deployment.kubernetes.io/revision": "1", **_stamps(component, release)},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"kubevirt.io": component}},
            "template": template(component, release),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
            "terminatingReplicas": 0,
            "conditions": [
                {"type": "Available", "status": "True", "lastUpdateTime": now, "lastTransitionTime": now,
                 "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability."},
                {"type": "Progressing", "status": "True", "lastUpdateTime": now, "lastTransitionTime": now,
                 "reason": "NewReplicaSetAvailable",
                 "message": f'ReplicaSet "{replica_set}" has successfully progressed.'},
            ],
        },
    }  # fmt: skip


def replica_set(component: str, release: Release, *, owner: JSON, replicas: int, revision: int) -> JSON:
    """The ReplicaSet of a release of a Deployment, with no pods counted yet."""
    template_hash = release.template_hash(component)
    labels = {**template(component, release)["metadata"]["labels"], "pod-template-hash": template_hash}
    return {
        "metadata": {
            "name": f"{component}-{template_hash}",
            "namespace": NAMESPACE,
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": str(revision), **_stamps(component, release)},
            "ownerReferences": [_owner(owner, "apps/v1", "Deployment")],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"kubevirt.io": component, "pod-template-hash": template_hash}},
            "template": template(component, release),
        },
        "status": {"replicas": 0},
    }


def daemon_set(release: Release, *, nodes: int) -> JSON:
    """The virt-handler DaemonSet, completely rolled out on so many nodes."""
    return {
        "metadata": {
            "name": HANDLER,
            "namespace": NAMESPACE,
            "labels": _labels(HANDLER, release),
            "annotations": {"deprecated.daemonset.template.generation": "1", **_stamps(HANDLER, release)},
        },
        "spec": {
            "selector": {"matchLabels": {"kubevirt.io": HANDLER}},
            "template": template(HANDLER, release),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "revisionHistoryLimit": 10,
        },
        "status": {
            "currentNumberScheduled": nodes,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": nodes,
            "numberReady": nodes,
            "observedGeneration": 1,
            "updatedNumberScheduled": nodes,
            "numberAvailable": nodes,
        },
    }


def restamp(body: JSON, component: str, release: Release) -> None:
    """Give a workload the template and stamps of another release, as virt-operator does."""
    body["metadata"]["labels"] = _labels(component, release)
    body["metadata"]["annotations"] = {**body["metadata"]["annotations"], **_stamps(component, release)}
    body["spec"]["template"] = template(component, release)


def template(component: str, release: Release) -> JSON:
    """The pod template of a component in a release; virt-operator has no stamps."""
    if component == OPERATOR:
        return {
            "metadata": {"labels": {"kubevirt.io": OPERATOR, "name": OPERATOR, "prometheus.kubevirt.io": "true"}},
            "spec": _spec(component, release),
        }
    labels = {key: value for key, value in _labels(component, release).items() if key != "app.kubernetes.io/name"}
    return {
        "metadata": {"labels": {**labels, "prometheus.kubevirt.io": "true"}, "annotations": release.stamps},
        "spec": _spec(component, release),
    }


def pod(component: str, release: Release, *, name: str, owner: JSON, node: str) -> JSON:
    """A pod of the control plane as it is created: not scheduled (unless a DaemonSet's), nothing started."""
    kind = "DaemonSet" if component == HANDLER else "ReplicaSet"
    made = template(component, release)
    labels = dict(made["metadata"]["labels"])
    spec = dict(made["spec"])
    if component != HANDLER:
        labels["pod-template-hash"] = release.template_hash(component)
    else:
        labels["pod-template-generation"] = str(owner["metadata"]["generation"])
        terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
        spec["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        }
    metadata: JSON = {
        "name": name,
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": NAMESPACE,
        "labels": labels,
        "ownerReferences": [_owner(owner, "apps/v1", kind)],
    }
    if "annotations" in made["metadata"]:
        metadata["annotations"] = made["metadata"]["annotations"]
    return {
        "metadata": metadata,
        "spec": spec,
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


def job_pod(job: JSON, *, suffix: str) -> JSON:
    """The pod of an install-strategy Job."""
    made = job["spec"]["template"]
    return {
        "metadata": {
            "name": f"{job['metadata']['name']}-{suffix}",
            "generateName": f"{job['metadata']['name']}-",
            "namespace": NAMESPACE,
            "labels": made["metadata"]["labels"],
            "ownerReferences": [_owner(job, "batch/v1", "Job")],
        },
        "spec": made["spec"],
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


def container_id(pod: JSON, container: str, restarts: int = 0) -> str:
    """An id that differs for each pod, container and restart."""
    text = f"{pod['metadata']['uid']} {container} {restarts}"
    return f"cri-o://{hashlib.sha256(text.encode()).hexdigest()}"


def image_id(image: str) -> str:
    """The digest form of an image."""
    return f"{image.rpartition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _labels(component: str, release: Release) -> dict[str, str]:
    if component == OPERATOR:
        return {"kubevirt.io": OPERATOR}
    labels = {
        "app.kubernetes.io/component": "kubevirt",
        "app.kubernetes.io/managed-by": "virt-operator",
        "app.kubernetes.io/version": release.version,
        "kubevirt.io": component,
    }
    return labels if component == HANDLER else {**labels, "app.kubernetes.io/name": component}


def _stamps(component: str, release: Release) -> dict[str, str]:
    return {} if component == OPERATOR else {"kubevirt.io/generation": "2", **release.stamps}


def _owner(owner: JSON, api_version: str, kind: str) -> JSON:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _spec(component: str, release: Release) -> JSON:
    container: JSON = {
        "name": component,
        "image": release.image(component),
        "command": [component],
        "args": _arguments(component, release),
        "ports": [{"name": "metrics", "containerPort": 8443, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "275Mi"}},
        "volumeMounts": [{"name": "certificates", "readOnly": True, "mountPath": f"/etc/{component}/certificates"},
                         {"name": "profile-data", "mountPath": "/profile-data"}],
        "readinessProbe": {
            "httpGet": {"path": _READINESS[component], "port": 8443, "scheme": "HTTPS"},
            "initialDelaySeconds": 15, "timeoutSeconds": 10, "periodSeconds": 10, "successThreshold": 1,
            "failureThreshold": 3,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }  # fmt: skip
    environment = _environment(component, release)
    if environment:
        container["env"] = environment
    spec: JSON = {
        "volumes": [
            {"name": "certificates", "secret": {"secretName": f"kubevirt-{component}-certs", "optional": True}},
            {"name": "profile-data", "emptyDir": {}},
        ],
        "containers": [container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 330 if component == HANDLER else 30,
        "dnsPolicy": "ClusterFirst",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "serviceAccountName": _ACCOUNTS[component],
        "schedulerName": "default-scheduler",
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "priorityClassName": "kubevirt-cluster-critical",
    }
    if component == HANDLER:
        spec["hostPID"] = True
        spec["initContainers"] = [{
            "name": "virt-launcher", "image": release.image("virt-launcher"), "command": ["/bin/sh", "-c"],
            "args": ["node-labeller.sh"], "resources": {}, "imagePullPolicy": "IfNotPresent",
            "securityContext": {"privileged": True},
        }]  # fmt: skip
    if component in {API, CONTROLLER}:
        term = {"matchExpressions": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}
        required = {"nodeSelectorTerms": [term]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return spec


def _arguments(component: str, release: Release) -> list[str]:
    match component:
        case "virt-controller":
            return [
                "--launcher-image", release.image("virt-launcher"), "--exporter-image",
                release.image("virt-exportserver"), "--port", "8443", "-v", "2",
            ]  # fmt: skip
        case "virt-handler":
            return [
                "--port",
                "8443",
                "--hostname-override",
                "$(NODE_NAME)",
                "--graceful-shutdown-seconds",
                "315",
                "-v",
                "2",
            ]
        case "virt-api":
            return ["--port", "8443", "--console-server-port", "8186", "--subresources-only", "-v", "2"]
        case _:
            return ["--port", "8443", "-v", "2"]


def _environment(component: str, release: Release) -> list[dict[str, Any]]:
    if component != OPERATOR:
        return []
    return [
        {"name": "VIRT_OPERATOR_IMAGE", "value": release.image(OPERATOR)},
        {"name": "KUBEVIRT_VERSION", "value": release.version},
    ]
