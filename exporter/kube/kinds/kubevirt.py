"""The KubeVirt CR."""

import msgspec

from exporter.kube.kinds.metadata import Condition, FullMetadata, Time, Wire, intern, key, seconds
from exporter.model import objects


class WorkloadUpdateStrategy(Wire):
    """spec.workloadUpdateStrategy."""

    workload_update_methods: list[str] | None = None


class Migrations(Wire):
    """spec.configuration.migrations."""

    parallel_migrations_per_cluster: int | None = None


class DeveloperConfiguration(Wire):
    """spec.configuration.developerConfiguration."""

    feature_gates: list[str] | None = None


class Configuration(Wire):
    """spec.configuration."""

    vm_rollout_strategy: str | None = None
    migrations: Migrations | None = None
    developer_configuration: DeveloperConfiguration | None = None


class Placed(Wire):
    """spec.infra; what its nodePlacement says is not read."""

    node_placement: dict[str, msgspec.Raw] | None = None


class KubeVirtSpec(Wire):
    """What its owner wants."""

    image_tag: str | None = None
    infra: Placed | None = None
    configuration: Configuration | None = None
    workload_update_strategy: WorkloadUpdateStrategy | None = None


class TimedCondition(Condition):
    """One of status.conditions."""

    last_transition_time: Time | None = None


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
    conditions: list[TimedCondition] | None = None


class KubeVirt(Wire):
    """The KubeVirt CR."""

    metadata: FullMetadata
    spec: KubeVirtSpec | None = None
    status: KubeVirtStatus | None = None


def kubevirt(wire: KubeVirt) -> objects.KubeVirt:
    """Flatten."""
    metadata, spec, status = wire.metadata, wire.spec or KubeVirtSpec(), wire.status or KubeVirtStatus()
    strategy = spec.workload_update_strategy or WorkloadUpdateStrategy()
    configuration = spec.configuration or Configuration()
    developer = configuration.developer_configuration or DeveloperConfiguration()
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
        rollout_strategy=intern(configuration.vm_rollout_strategy),
        parallel_migrations=(configuration.migrations or Migrations()).parallel_migrations_per_cluster,
        feature_gates=tuple(map(intern, developer.feature_gates or ())),
        infra_placed=bool((spec.infra or Placed()).node_placement),
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
