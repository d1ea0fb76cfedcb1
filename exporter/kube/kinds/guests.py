"""What guests are made of: VirtualMachines, their instances, and migrations."""

import sys
from collections.abc import Iterable
from typing import Final

from exporter.kube.kinds.metadata import (
    NO_ANNOTATIONS,
    Condition,
    FullMetadata,
    ManagedFields,
    Metadata,
    OwnerReference,
    Time,
    Wire,
    intern,
    key,
    seconds,
    written_as,
)
from exporter.model import objects

# --- VirtualMachines


class VmMetadata(Metadata):
    """A VirtualMachine's metadata."""

    generation: int | None = None
    managed_fields: list[ManagedFields] | None = None


class StateChangeRequest(Wire):
    """One of status.stateChangeRequests."""

    action: str | None = None
    uid: str | None = None


class VmSpec(Wire):
    """`running` is the older way to say it."""

    run_strategy: str | None = None
    running: bool | None = None


class VmStatus(Wire):
    """A VirtualMachine's status."""

    state_change_requests: list[StateChangeRequest] | None = None


class Vm(Wire):
    """A VirtualMachine."""

    metadata: VmMetadata
    spec: VmSpec | None = None
    status: VmStatus | None = None


_NO_VM_SPEC: Final = VmSpec()
_NO_VM_STATUS: Final = VmStatus()
_RUN_STRATEGIES: Final = {True: "Always", False: "Halted", None: ""}


def vm(wire: Vm) -> objects.Vm:
    """Flatten."""
    metadata, spec, status = wire.metadata, wire.spec or _NO_VM_SPEC, wire.status or _NO_VM_STATUS
    return objects.Vm(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        generation=metadata.generation or 0,
        run_strategy=intern(spec.run_strategy) or _RUN_STRATEGIES[spec.running],
        stop_requests=tuple(
            request.uid
            for request in status.state_change_requests or ()
            if request.action == "Stop" and request.uid is not None
        ),
        spec_manager=intern(_last_manager(metadata.managed_fields or ())),
        written_as=written_as(metadata.managed_fields),
    )


def _last_manager(entries: Iterable[ManagedFields]) -> str | None:
    """Who wrote the object last, subresources apart; of equals (the API keeps whole seconds) the later entry."""
    last: ManagedFields | None = None
    for entry in entries:
        if entry.subresource or entry.time is None:
            continue
        if last is None or last.time is None or entry.time >= last.time:
            last = entry
    return None if last is None else last.manager


# --- VirtualMachineInstances


class VmiMetadata(Metadata):
    """A VirtualMachineInstance's metadata."""

    owner_references: list[OwnerReference] | None = None


class VmiMigrationState(Wire):
    """status.migrationState: the last migration, or the one that runs."""

    migration_uid: str | None = None
    completed: bool | None = None
    failed: bool | None = None


class Machine(Wire):
    """status.machine."""

    type: str | None = None


class VmiStatus(Wire):
    """A VirtualMachineInstance's status."""

    phase: str | None = None
    reason: str | None = None
    node_name: str | None = None
    launcher_container_image_version: str | None = None
    evacuation_node_name: str | None = None
    conditions: list[Condition] | None = None
    migration_state: VmiMigrationState | None = None
    machine: Machine | None = None


class Vmi(Wire):
    """A VirtualMachineInstance."""

    metadata: VmiMetadata
    status: VmiStatus | None = None


_NO_VMI_STATUS: Final = VmiStatus()
_NO_VMI_MIGRATION: Final = VmiMigrationState()


def vmi(wire: Vmi) -> objects.Vmi:
    """Flatten; this is the kind of which there are most, so it calls no more than it must: that halves its cost."""
    once = sys.intern
    metadata, status = wire.metadata, wire.status or _NO_VMI_STATUS
    migration = status.migration_state or _NO_VMI_MIGRATION
    ready = agent = False
    migratable, not_migratable, paused = True, "", ""
    for condition in status.conditions or ():
        kind, value = condition.type, condition.status
        if value == "True":
            if kind == "Ready":
                ready = True
            elif kind == "AgentConnected":
                agent = True
            elif kind == "Paused":
                paused = intern(condition.reason or kind)
        elif kind == "LiveMigratable" and value == "False":
            migratable, not_migratable = False, intern(condition.reason)
    owned = False
    for owner in metadata.owner_references or ():
        if owner.controller and owner.kind == "VirtualMachine":
            owned = True
    return objects.Vmi(  # by position: names would double what all of this costs
        key(metadata),
        metadata.uid or "",
        seconds(metadata.creation_timestamp),
        None if metadata.deletion_timestamp is None else seconds(metadata.deletion_timestamp),
        owned,
        once(status.phase or ""),
        once(status.reason or ""),
        once(status.node_name or ""),
        once(status.launcher_container_image_version or ""),
        ready,
        paused,
        migratable,
        not_migratable,
        agent,
        migration.migration_uid or "",
        migration.completed or False,
        migration.failed or False,
        once(status.evacuation_node_name or ""),
        "" if status.machine is None else once(status.machine.type or ""),
    )


# --- VirtualMachineInstanceMigrations


class MigrationSpec(Wire):
    """A migration's spec."""

    vmi_name: str | None = None


class MigrationState(Wire):
    """status.migrationState; whole only once the migration is final (reference §4.4)."""

    source_node: str | None = None
    target_node: str | None = None
    start_timestamp: Time | None = None
    end_timestamp: Time | None = None


class PhaseTransition(Wire):
    """One of status.phaseTransitionTimestamps."""

    phase: str | None = None
    phase_transition_timestamp: Time | None = None


class MigrationStatus(Wire):
    """A migration's status."""

    phase: str | None = None
    phase_transition_timestamps: list[PhaseTransition] | None = None
    migration_state: MigrationState | None = None


class Migration(Wire):
    """A VirtualMachineInstanceMigration."""

    metadata: FullMetadata
    spec: MigrationSpec | None = None
    status: MigrationStatus | None = None


_FINAL: Final = ("Succeeded", "Failed")


def migration(wire: Migration) -> objects.Migration:
    """Flatten. Where migrationState does not say when it started or ended, the transitions of its phases do."""
    metadata, spec, status = wire.metadata, wire.spec or MigrationSpec(), wire.status or MigrationStatus()
    state = status.migration_state or MigrationState()
    times = {step.phase: step.phase_transition_timestamp for step in status.phase_transition_timestamps or ()}
    started = state.start_timestamp or times.get("Running") or times.get("Scheduling")
    ended = state.end_timestamp or (times.get(status.phase) if status.phase in _FINAL else None)
    return objects.Migration(
        key=key(metadata),
        uid=metadata.uid or "",
        created=seconds(metadata.creation_timestamp),
        deleted=seconds(metadata.deletion_timestamp),
        vmi=spec.vmi_name or "",
        trigger=_trigger(metadata),
        phase=intern(status.phase),
        source_node=intern(state.source_node),
        target_node=intern(state.target_node),
        started=seconds(started),
        ended=seconds(ended),
    )


def _trigger(metadata: FullMetadata) -> str:
    annotations = metadata.annotations or NO_ANNOTATIONS
    if annotations.workload_update is not None:
        return "workload_update"
    return "evacuation" if annotations.evacuation is not None else "user"
