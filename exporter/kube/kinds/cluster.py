"""What KubeVirt stands on: nodes, leases, CRDs, APIServices and webhook configurations."""

import datetime as dt
from typing import Final

from exporter.kube.kinds import quantity
from exporter.kube.kinds.metadata import (
    NO_ANNOTATIONS,
    NO_LABELS,
    Condition,
    FullMetadata,
    Metadata,
    Time,
    Wire,
    condition_status,
    intern,
    key,
    managed,
    seconds,
)
from exporter.model import objects

# --- Nodes


class NodeSpec(Wire):
    """A node's spec."""

    unschedulable: bool | None = None


class NodeInfo(Wire):
    """status.nodeInfo."""

    kubelet_version: str | None = None


class Allocatable(Wire):
    """status.allocatable, as far as guests need it."""

    cpu: str | None = None
    memory: str | None = None


class NodeStatus(Wire):
    """A node's status."""

    allocatable: Allocatable | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo | None = None


class Node(Wire):
    """A node."""

    metadata: FullMetadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


def node(wire: Node) -> objects.Node:
    """Flatten."""
    metadata, spec, status = wire.metadata, wire.spec or NodeSpec(), wire.status or NodeStatus()
    labels, annotations = metadata.labels or NO_LABELS, metadata.annotations or NO_ANNOTATIONS
    allocatable = status.allocatable or Allocatable()
    return objects.Node(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        ready=condition_status(status.conditions, "Ready"),
        unschedulable=spec.unschedulable or False,
        kubevirt_schedulable=None if labels.schedulable is None else labels.schedulable == "true",
        heartbeat=_heartbeat(annotations.heartbeat),
        control_plane=labels.control_plane is not None or labels.master is not None,
        kubelet_version=intern((status.node_info or NodeInfo()).kubelet_version),
        cpu=quantity.read(allocatable.cpu or ""),
        memory=quantity.read(allocatable.memory or ""),
    )


def _heartbeat(text: str | None) -> float | None:
    """An annotation is free text: what is no time with a zone says nothing, but the node is still a node."""
    try:
        time = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return None if time.tzinfo is None else time.timestamp()


# --- Leases


class LeaseSpec(Wire):
    """A lease's spec."""

    holder_identity: str | None = None
    acquire_time: Time | None = None
    renew_time: Time | None = None
    lease_duration_seconds: float | None = None
    lease_transitions: int | None = None


class Lease(Wire):
    """A Lease."""

    metadata: Metadata
    spec: LeaseSpec | None = None


DEFAULT_DURATION: Final = 15.0
"""KubeVirt's lease duration, where a lease does not say (reference §2.6)."""


def lease(wire: Lease) -> objects.Lease:
    """Flatten."""
    metadata, spec = wire.metadata, wire.spec or LeaseSpec()
    return objects.Lease(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        holder=intern(spec.holder_identity),
        acquired=seconds(spec.acquire_time),
        renewed=seconds(spec.renew_time),
        duration=DEFAULT_DURATION if spec.lease_duration_seconds is None else spec.lease_duration_seconds,
        transitions=spec.lease_transitions or 0,
    )


# --- CustomResourceDefinitions


class CrdNames(Wire):
    """spec.names."""

    plural: str | None = None


class CrdVersion(Wire):
    """One of spec.versions; its schema is skipped."""

    name: str
    served: bool | None = None
    storage: bool | None = None
    deprecated: bool | None = None


class CrdSpec(Wire):
    """A definition's spec."""

    group: str | None = None
    names: CrdNames | None = None
    versions: list[CrdVersion] | None = None


class CrdStatus(Wire):
    """A definition's status."""

    stored_versions: list[str] | None = None


class Crd(Wire):
    """A CustomResourceDefinition."""

    metadata: Metadata
    spec: CrdSpec | None = None
    status: CrdStatus | None = None


def crd(wire: Crd) -> objects.Crd:
    """Flatten."""
    metadata, spec, status = wire.metadata, wire.spec or CrdSpec(), wire.status or CrdStatus()
    return objects.Crd(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        group=intern(spec.group),
        plural=intern((spec.names or CrdNames()).plural),
        versions=tuple(
            objects.CrdVersion(
                name=intern(version.name),
                served=version.served or False,
                storage=version.storage or False,
                deprecated=version.deprecated or False,
            )
            for version in spec.versions or ()
        ),
        stored=tuple(map(intern, status.stored_versions or ())),
    )


# --- APIServices


class ServiceReference(Wire):
    """spec.service; where there is none the API server answers itself."""


class ApiServiceSpec(Wire):
    """An APIService's spec."""

    group: str | None = None
    version: str | None = None
    service: ServiceReference | None = None


class ApiServiceStatus(Wire):
    """An APIService's status."""

    conditions: list[Condition] | None = None


class ApiService(Wire):
    """An APIService."""

    metadata: Metadata
    spec: ApiServiceSpec | None = None
    status: ApiServiceStatus | None = None


def apiservice(wire: ApiService) -> objects.ApiService:
    """Flatten."""
    metadata, spec, status = wire.metadata, wire.spec or ApiServiceSpec(), wire.status or ApiServiceStatus()
    return objects.ApiService(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        group=intern(spec.group),
        version=intern(spec.version),
        aggregated=spec.service is not None,
        available=condition_status(status.conditions, "Available"),
    )


# --- Webhook configurations


class Webhook(Wire):
    """One webhook; only counted."""


class WebhookConfiguration(Wire):
    """A ValidatingWebhookConfiguration or MutatingWebhookConfiguration."""

    metadata: FullMetadata
    webhooks: list[Webhook] | None = None


def webhooks(wire: WebhookConfiguration) -> objects.WebhookConfiguration:
    """Flatten."""
    metadata = wire.metadata
    return objects.WebhookConfiguration(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        managed=managed(metadata.labels or NO_LABELS),
        version=intern((metadata.annotations or NO_ANNOTATIONS).version),
        webhooks=len(wire.webhooks or ()),
    )


# --- PodDisruptionBudgets


class DisruptionBudgetStatus(Wire):
    """A PodDisruptionBudget's status."""

    disruptions_allowed: int | None = None
    current_healthy: int | None = None
    desired_healthy: int | None = None
    expected_pods: int | None = None


class DisruptionBudget(Wire):
    """A PodDisruptionBudget."""

    metadata: Metadata
    status: DisruptionBudgetStatus | None = None


def budget(wire: DisruptionBudget) -> objects.DisruptionBudget:
    """Flatten."""
    metadata, status = wire.metadata, wire.status or DisruptionBudgetStatus()
    return objects.DisruptionBudget(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        allowed=status.disruptions_allowed,
        healthy=status.current_healthy,
        desired=status.desired_healthy,
        expected=status.expected_pods,
    )
