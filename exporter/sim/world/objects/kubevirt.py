"""The KubeVirt object."""

from __future__ import annotations

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.world.objects.guests import OBSERVED
from exporter.sim.world.releases import Release


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
