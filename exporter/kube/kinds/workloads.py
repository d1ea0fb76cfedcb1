"""The control plane's Deployments and DaemonSets, and the Jobs that prepare an upgrade."""

from collections.abc import Iterable

from exporter.kube.kinds.metadata import (
    NO_ANNOTATIONS,
    NO_LABELS,
    Annotations,
    Condition,
    FullMetadata,
    Labels,
    Wire,
    condition_status,
    intern,
    key,
    managed,
    seconds,
)
from exporter.kube.kinds.pods import Container, version_of
from exporter.model import objects


class PodTemplateSpec(Wire):
    """A template's spec."""

    containers: list[Container] | None = None
    termination_grace_period_seconds: float | None = None


class TemplateMetadata(Wire):
    """A template's metadata; it need not have a name."""

    labels: Labels | None = None
    annotations: Annotations | None = None


class PodTemplate(Wire):
    """spec.template of a workload."""

    metadata: TemplateMetadata | None = None
    spec: PodTemplateSpec | None = None


class RollingUpdate(Wire):
    """The pace of a rollout."""

    max_unavailable: int | str | None = None


class Strategy(Wire):
    """strategy (Deployment) or updateStrategy (DaemonSet)."""

    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Wire):
    """A Deployment's spec."""

    replicas: int | None = None
    template: PodTemplate | None = None
    strategy: Strategy | None = None


class DeploymentStatus(Wire):
    """A Deployment's status; counts of 0 are left out by the API."""

    observed_generation: int | None = None
    updated_replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    unavailable_replicas: int | None = None


class Deployment(Wire):
    """A Deployment."""

    metadata: FullMetadata
    spec: DeploymentSpec | None = None
    status: DeploymentStatus | None = None


class DaemonSetSpec(Wire):
    """A DaemonSet's spec."""

    template: PodTemplate | None = None
    update_strategy: Strategy | None = None


class DaemonSetStatus(Wire):
    """A DaemonSet's status."""

    observed_generation: int | None = None
    desired_number_scheduled: int | None = None
    updated_number_scheduled: int | None = None
    number_ready: int | None = None
    number_available: int | None = None
    number_unavailable: int | None = None


class DaemonSet(Wire):
    """A DaemonSet."""

    metadata: FullMetadata
    spec: DaemonSetSpec | None = None
    status: DaemonSetStatus | None = None


def deployment(wire: Deployment) -> objects.Workload:
    """Flatten."""
    spec, status = wire.spec or DeploymentSpec(), wire.status or DeploymentStatus()
    return _workload(
        "Deployment",
        wire.metadata,
        template=spec.template,
        strategy=spec.strategy,
        counts=_Counts(
            observed_generation=status.observed_generation,
            desired=spec.replicas,
            updated=status.updated_replicas,
            ready=status.ready_replicas,
            available=status.available_replicas,
            unavailable=status.unavailable_replicas,
        ),
    )


def daemonset(wire: DaemonSet) -> objects.Workload:
    """Flatten."""
    spec, status = wire.spec or DaemonSetSpec(), wire.status or DaemonSetStatus()
    return _workload(
        "DaemonSet",
        wire.metadata,
        template=spec.template,
        strategy=spec.update_strategy,
        counts=_Counts(
            observed_generation=status.observed_generation,
            desired=status.desired_number_scheduled,
            updated=status.updated_number_scheduled,
            ready=status.number_ready,
            available=status.number_available,
            unavailable=status.number_unavailable,
        ),
    )


class _Counts(Wire):
    """What Deployments and DaemonSets name differently."""

    observed_generation: int | None
    desired: int | None
    updated: int | None
    ready: int | None
    available: int | None
    unavailable: int | None


def _workload(
    kind: str, metadata: FullMetadata, *, template: PodTemplate | None, strategy: Strategy | None, counts: _Counts
) -> objects.Workload:
    labels = metadata.labels or NO_LABELS
    template = template or PodTemplate()
    stamp = template.metadata or TemplateMetadata()
    pods = template.spec or PodTemplateSpec()
    containers = pods.containers or []
    label = labels.kubevirt or (stamp.labels or NO_LABELS).kubevirt  # OLM labels the pods, not always the Deployment
    version, identifier = version_of(label, stamp.annotations or NO_ANNOTATIONS, containers)
    limit = None if strategy is None or strategy.rolling_update is None else strategy.rolling_update.max_unavailable
    return objects.Workload(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        kind=kind,
        label=intern(label),
        managed=managed(labels),
        generation=metadata.generation or 0,
        observed_generation=counts.observed_generation or 0,
        version=version,
        identifier=identifier,
        image=intern(containers[0].image) if containers else "",
        launcher_image=intern(_argument("--launcher-image", containers)),
        desired=counts.desired,
        updated=counts.updated or 0,
        ready=counts.ready or 0,
        available=counts.available or 0,
        unavailable=counts.unavailable or 0,
        max_unavailable="" if limit is None else intern(str(limit)),
        grace=pods.termination_grace_period_seconds,
    )


def _argument(name: str, containers: Iterable[Container]) -> str:
    """The value of a command line argument, written `--name value` or `--name=value`; empty where it is not there."""
    for container in containers:
        arguments = iter(container.args or ())
        for argument in arguments:
            if argument == name:
                return next(arguments, "")
            if argument.startswith(f"{name}="):
                return argument.partition("=")[2]
    return ""


class JobStatus(Wire):
    """A Job's status."""

    active: int | None = None
    succeeded: int | None = None
    conditions: list[Condition] | None = None


class Job(Wire):
    """A Job."""

    metadata: FullMetadata
    status: JobStatus | None = None


def job(wire: Job) -> objects.Job:
    """Flatten."""
    metadata, status = wire.metadata, wire.status or JobStatus()
    return objects.Job(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        install_strategy=(metadata.labels or NO_LABELS).install_strategy is not None,
        version=intern((metadata.annotations or NO_ANNOTATIONS).version),
        active=status.active or 0,
        succeeded=status.succeeded or 0,
        failed=condition_status(status.conditions, "Failed") is True,
    )
