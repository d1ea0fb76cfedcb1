"""What really happened in a run of the simulator: the answer that reports of it are compared with.

Written by the world while it happens, in simulated time; nothing here is derived from objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Interruption:
    """A guest lost its running instance and nobody asked. `seen_at`: when its objects said so. `until`: runs again."""

    namespace: str
    name: str
    reason: str  # oom, node-lost, evicted, update-eviction
    at: float
    seen_at: float | None = None
    until: float | None = None


@dataclass(slots=True)
class AskedStop:
    """A guest stopped because its owner wanted it, or (`how` guest-shutdown) because it shut itself down."""

    namespace: str
    name: str
    how: str  # restart-request, run-strategy, guest-shutdown
    at: float
    until: float | None = None


@dataclass(slots=True)
class Outage:
    """`what` is kubevirt-api or cluster-api."""

    what: str
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """A Lease went from one holder to the next; `gap` from the last renewal of the one to the first of the other."""

    lease: str
    old: str
    new: str
    version: str
    at: float
    gap: float


@dataclass(frozen=True, slots=True)
class MigrationEnd:
    """One finished migration of a workload update."""

    namespace: str
    name: str
    succeeded: bool
    at: float


@dataclass(frozen=True, slots=True)
class Hop:
    """One transition of KubeVirt that was begun."""

    kind: str  # upgrade, rollback
    old: str
    new: str
    by: str  # operator, image-tag
    at: float


@dataclass(slots=True)
class Truth:
    """Everything that happened, in order."""

    hops: list[Hop] = field(default_factory=list)
    milestones: dict[str, float] = field(default_factory=dict)  # "handler-rolled-out v1.4.0": when
    interruptions: list[Interruption] = field(default_factory=list)
    asked_stops: list[AskedStop] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    migrations: list[MigrationEnd] = field(default_factory=list)
    duplicates: dict[str, tuple[float, float]] = field(default_factory=dict)  # guest: two launchers from, to
    lost: dict[str, int] = field(default_factory=dict)  # resource: objects that went with their definition
    stranded: set[str] = field(default_factory=set)  # guests that will not leave an old launcher by themselves
    blocked: list[str] = field(default_factory=list)  # why the operator could not go on
    restarts: dict[str, int] = field(default_factory=dict)  # component: containers that crashed

    def succeeded(self) -> int:
        return sum(1 for end in self.migrations if end.succeeded)

    def failed(self) -> int:
        return sum(1 for end in self.migrations if not end.succeeded)
