"""The KubeVirt CR."""

import msgspec

from exporter.kube.kinds.metadata import Condition, FullMetadata, Wire, intern, key, seconds
from exporter.model import objects


class WorkloadUpdateStrategy(Wire):
    """spec.workloadUpdateStrategy."""

    workload_update_methods: list[str] | None = None


class KubeVirtSpec(Wire):
    """What its owner wants."""

    image_tag: str | None = None
    workload_update_strategy: WorkloadUpdateStrategy | None = None


class KubeVirtStatus(Wire):
    """What virt-operator says (and virt-controller, of outdated guests)."""

    phase: str | None = None
    observed_generation: int | None = None
    operator_version: str | None = None
    target_version: str | None = msgspec.field(default=None, name="targetKubeVirtVersion")
    target_id: str | None = msgspec.field(default=None, name="targetDeploymentID")
    observed_version: str | None = msgspec.field(default=None, name="observedKubeVirtVersion")
    observed_id: str | None = msgspec.field(default=None, name="observedDeploymentID")
    outdated: int | None = msgspec.field(default=None, name="outdatedVirtualMachineInstanceWorkloads")
    conditions: list[Condition] | None = None


class KubeVirt(Wire):
    """The KubeVirt CR."""

    metadata: FullMetadata
    spec: KubeVirtSpec | None = None
    status: KubeVirtStatus | None = None


def kubevirt(wire: KubeVirt) -> objects.KubeVirt:
    """Flatten."""
    metadata, spec, status = wire.metadata, wire.spec or KubeVirtSpec(), wire.status or KubeVirtStatus()
    strategy = spec.workload_update_strategy or WorkloadUpdateStrategy()
    return objects.KubeVirt(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        generation=metadata.generation or 0,
        observed_generation=status.observed_generation,
        phase=intern(status.phase),
        operator_version=intern(status.operator_version),
        target_version=intern(status.target_version),
        target_id=intern(status.target_id),
        observed_version=intern(status.observed_version),
        observed_id=intern(status.observed_id),
        outdated=status.outdated,
        image_tag=intern(spec.image_tag),
        update_methods=tuple(map(intern, strategy.workload_update_methods or ())),
        conditions=tuple(
            objects.Condition(
                type=intern(condition.type),
                status=intern(condition.status),
                reason=intern(condition.reason),
                since=seconds(condition.last_transition_time),
            )
            for condition in status.conditions or ()
        ),
    )
