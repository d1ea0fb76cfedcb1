"""What all kinds share: metadata, labels, annotations, conditions, and how these become values of ours."""

import datetime as dt
import functools
import sys
from typing import Annotated, Final

import msgspec

from exporter.model import objects

Time = Annotated[dt.datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with a zone, as metav1.Time and MicroTime are written."""

MANAGERS: Final = frozenset({"virt-operator", "kubevirt-operator"})
"""Values of label app.kubernetes.io/managed-by that make an object KubeVirt's own (reference §2.4)."""


class Wire(msgspec.Struct, gc=False, rename="camel"):
    """Base of all wire Structs: camelCase outside, snake_case inside; no cycles, so not tracked."""


class Labels(Wire):
    """The labels we know, of any kind of object."""

    kubevirt: str | None = msgspec.field(default=None, name="kubevirt.io")
    managed_by: str | None = msgspec.field(default=None, name="app.kubernetes.io/managed-by")
    created_by: str | None = msgspec.field(default=None, name="kubevirt.io/created-by")
    migration_uid: str | None = msgspec.field(default=None, name="kubevirt.io/migrationJobUID")
    install_strategy: str | None = msgspec.field(default=None, name="kubevirt.io/install-strategy")
    schedulable: str | None = msgspec.field(default=None, name="kubevirt.io/schedulable")
    control_plane: str | None = msgspec.field(default=None, name="node-role.kubernetes.io/control-plane")
    master: str | None = msgspec.field(default=None, name="node-role.kubernetes.io/master")


class Annotations(Wire):
    """The annotations we know, of any kind of object."""

    version: str | None = msgspec.field(default=None, name="kubevirt.io/install-strategy-version")
    identifier: str | None = msgspec.field(default=None, name="kubevirt.io/install-strategy-identifier")
    heartbeat: str | None = msgspec.field(default=None, name="kubevirt.io/heartbeat")
    workload_update: str | None = msgspec.field(default=None, name="kubevirt.io/workloadUpdateMigration")
    evacuation: str | None = msgspec.field(default=None, name="kubevirt.io/evacuationMigration")


NO_LABELS: Final = Labels()
NO_ANNOTATIONS: Final = Annotations()


class OwnerReference(Wire):
    """One of metadata.ownerReferences."""

    kind: str | None = None
    name: str | None = None
    controller: bool | None = None


class Identity(Wire):
    """Which object it is, in which version."""

    name: str
    namespace: str | None = None
    resource_version: str | None = None


class ManagedFields(Wire):
    """One of metadata.managedFields, without the fields."""

    manager: str | None = None
    api_version: str | None = None
    subresource: str | None = None
    time: Time | None = None


class Metadata(Identity):
    """What every kind needs of its metadata."""

    uid: str | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None


class FullMetadata(Metadata):
    """With generation, labels, annotations and owners, for the kinds that have use for them."""

    generation: int | None = None
    labels: Labels | None = None
    annotations: Annotations | None = None
    owner_references: list[OwnerReference] | None = None


class Bare(Wire):
    """An object of any kind of which only the name is wanted."""

    metadata: Identity


class ManagedMetadata(FullMetadata):
    """With those who wrote the object."""

    managed_fields: list[ManagedFields] | None = None


class MetadataOnly(Wire):
    """An object of any kind, or a PartialObjectMetadata."""

    metadata: ManagedMetadata


class Condition(Wire):
    """One of status.conditions."""

    type: str
    status: str | None = None
    reason: str | None = None


def intern(text: str | None) -> str:
    """The text, kept once however many objects say it; empty for null."""
    return sys.intern(text) if text else ""


def key(metadata: Identity) -> str:
    """`namespace/name`, or `name` for cluster-scoped objects."""
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


def seconds(time: dt.datetime | None) -> float | None:
    """Unix seconds, or None for null."""
    return None if time is None else time.timestamp()


def written_as(entries: list[ManagedFields] | None) -> tuple[str, ...]:
    """The API versions in which an object was written, each once, sorted."""
    return _kept_once(frozenset(entry.api_version for entry in entries or () if entry.api_version))


@functools.lru_cache(maxsize=256)
def _kept_once(names: frozenset[str]) -> tuple[str, ...]:
    """The same tuple for equal sets: thousands of objects share it."""
    return tuple(sorted(map(sys.intern, names)))


def controller(metadata: FullMetadata) -> OwnerReference | None:
    """The owner that controls the object, if one does."""
    return next((owner for owner in metadata.owner_references or () if owner.controller), None)


def managed(labels: Labels) -> bool:
    """KubeVirt's operator made the object."""
    return labels.managed_by in MANAGERS


def condition_status(conditions: list[Condition] | None, kind: str) -> bool | None:
    """True or False as the condition of that type says; None where it is absent or Unknown."""
    for condition in conditions or ():
        if condition.type == kind:
            return {"True": True, "False": False}.get(condition.status or "")
    return None


def metadata_only(wire: MetadataOnly) -> objects.Metadata:
    """Flatten the metadata of any object."""
    metadata = wire.metadata
    return objects.Metadata(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        generation=metadata.generation or 0,
        managed=managed(metadata.labels or NO_LABELS),
        owned=bool(metadata.owner_references),
        written_as=written_as(metadata.managed_fields),
    )
