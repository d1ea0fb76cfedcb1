"""Folds every change first, and gives the concerns a read-only view of what several of them need."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

from exporter.model import resources
from exporter.model.changes import OF_OBJECTS, Change, ListReplaced, ObjectChanged, SessionClosed, TimePassed, deltas
from exporter.model.objects import KubeVirt, Lease, Migration, Node, Pod, Workload
from exporter.model.report import Phase
from exporter.settings import Settings
from exporter.tracker.components import Component, Components
from exporter.tracker.guests import Guests, Outdated
from exporter.tracker.launchers import Launchers
from exporter.tracker.lifecycle import Lifecycle
from exporter.tracker.migrations import Migrations
from exporter.tracker.rollouts import Rollouts
from exporter.tracker.sessions import Session, Transition
from exporter.tracker.sync import SyncTable

# Changes of these can begin, move or end a session.
_T = TypeVar("_T")

_MOVING = frozenset({
    resources.KUBEVIRTS, resources.DEPLOYMENTS, resources.DAEMONSETS, resources.PODS, resources.LEASES,
})  # fmt: skip
_GUESTS = frozenset({resources.VMIS, resources.MIGRATIONS})


class View(Protocol):
    """What a concern may ask. All of it is of now; nothing may be changed through it."""

    @property
    def settings(self) -> Settings:
        """Thresholds and objectives."""

    @property
    def sync(self) -> SyncTable:
        """What is listed."""

    @property
    def components(self) -> Components:
        """Workloads and pods."""

    @property
    def guests(self) -> Guests:
        """VMs and VMIs."""

    @property
    def migrations(self) -> Migrations:
        """Live migrations under way."""

    @property
    def finished(self) -> list[Migration]:
        """Migrations that this very change has shown to have finished."""

    @property
    def pods_changed(self) -> list[Pod]:
        """Components' pods that this very change is about, before and after."""

    @property
    def launchers(self) -> Launchers:
        """virt-launcher pods."""

    @property
    def nodes(self) -> dict[str, Node]:
        """Nodes by name."""

    @property
    def rollouts(self) -> Rollouts:
        """Each component's rollout in the session."""

    @property
    def kubevirt(self) -> KubeVirt | None:
        """The KubeVirt CR."""

    @property
    def session(self) -> Session | None:
        """The session under way, or the last one."""

    @property
    def active(self) -> bool:
        """A session is under way."""

    @property
    def resumed_from(self) -> float | None:
        """Until when our predecessor watched, where we continue its work."""

    @property
    def last(self) -> float:
        """Time of the last change."""

    def outdated(self) -> Outdated | None:
        """Running guests with an old launcher; None where that cannot be told."""


class Tracker:
    """The tables, and the session's life."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sync = SyncTable(unobserved_after=settings.thresholds.unobserved_after)
        self.components = Components()
        self.guests = Guests()
        self.migrations = Migrations()
        self.launchers = Launchers()
        self.finished: list[Migration] = []
        self.pods_changed: list[Pod] = []
        self.nodes: dict[str, Node] = {}
        self.lifecycle = Lifecycle(settings.thresholds, self.components, self.guests)
        self.rollouts = self.lifecycle.rollouts
        self.resumed_from: float | None = None
        self.last = 0.0
        self._was_ready = False
        self._kubevirts: dict[str, KubeVirt] = {}

    @property
    def kubevirt(self) -> KubeVirt | None:
        """The KubeVirt CR; the oldest where a second one has been created by mistake (KubeVirt ignores that one)."""
        return self.lifecycle.kubevirt

    @property
    def session(self) -> Session | None:
        """The session under way, or the last one."""
        return self.lifecycle.session

    @property
    def active(self) -> bool:
        """A session is under way."""
        return self.lifecycle.active is not None

    def outdated(self) -> Outdated | None:
        """Running guests with an old launcher; None where that cannot be told."""
        if not self.sync.known(resources.VMIS) or self.kubevirt is None:
            return None
        return self.guests.outdated(self.components.launcher_image(), self.kubevirt.update_methods)

    def observe(self, change: Change) -> Iterator[Transition]:
        """Take a change in; yields what became of sessions."""
        self.last = change.at
        self.finished.clear()
        self.pods_changed.clear()
        self.sync.observe(change)
        ready = self.sync.ready
        if isinstance(change, OF_OBJECTS):
            workloads = self.session is not None and self.session.phase is Phase.WORKLOADS
            moved = change.resource in _MOVING or (workloads and change.resource in _GUESTS)
            self._take(change, ready=self._was_ready)
        else:
            moved = isinstance(change, TimePassed)
        if not ready:
            return
        if not self._was_ready:
            self._was_ready = moved = True
            if self.resumed_from is not None:
                self.lifecycle.resumed(change.at)
            self.rollouts.follow(self.components, change.at)
        if moved:
            yield from self.lifecycle.judge(change.at)
        elif isinstance(change, SessionClosed):
            yield from self.lifecycle.close(change.at)

    def session_began(self, session: Session) -> None:
        """The fold tells, after the concerns have seen the end of the one before."""
        self.sync.forget_before(session.started)

    def _take(self, change: ObjectChanged | ListReplaced, *, ready: bool) -> None:  # noqa: C901, PLR0912 - one table
        at = change.at
        touched: dict[str, Component] = {}
        for delta in deltas(change):
            old, new = delta.old, delta.new
            match change.resource:
                case resources.VMIS:
                    self.guests.vmi(delta)
                case resources.VMS:
                    self.guests.vm(delta)
                case resources.MIGRATIONS:
                    finished = self.migrations.observe(delta, at=at, resumed_from=self.resumed_from)
                    if finished is not None:
                        self.guests.migration_finished(finished)
                        self.finished.append(finished)
                case resources.LAUNCHERS:
                    self.launchers.observe(delta)
                case resources.PODS:
                    self._pod(old, new, at, ready=ready)
                case resources.DEPLOYMENTS | resources.DAEMONSETS:
                    component = self.components.workload(_as(Workload, old), _as(Workload, new))
                    if component is not None:
                        touched[component.name] = component
                case resources.NODES:
                    self._node(_as(Node, old), _as(Node, new))
                case resources.LEASES:
                    self._lease(_as(Lease, old), _as(Lease, new))
                case resources.KUBEVIRTS:
                    self._kubevirt(_as(KubeVirt, old), _as(KubeVirt, new))
                case _:
                    return
        if ready and touched:
            self.rollouts.follow(touched.values(), at)

    def _pod(self, old: object, new: object, at: float, *, ready: bool) -> None:
        before, after = _as(Pod, old), _as(Pod, new)
        component = self.components.pod(before, after)
        if component is not None and ready:
            self.pods_changed.extend(pod for pod in (before, after) if pod is not None)
            self.rollouts.pod_changed(component, before, after, at)

    def _node(self, old: Node | None, new: Node | None) -> None:
        if new is not None:
            self.nodes[new.key] = new
        elif old is not None:
            self.nodes.pop(old.key, None)

    def _lease(self, old: Lease | None, new: Lease | None) -> None:
        if new is not None:
            self.lifecycle.leaders[new.name] = new.holder
        elif old is not None:
            self.lifecycle.leaders.pop(old.name, None)

    def _kubevirt(self, old: KubeVirt | None, new: KubeVirt | None) -> None:
        if old is not None:
            self._kubevirts.pop(old.key, None)
        if new is not None:
            self._kubevirts[new.key] = new
        oldest = sorted(self._kubevirts.values(), key=lambda kv: (kv.created or 0.0, kv.key))
        self.rollouts.kubevirt = oldest[0] if oldest else None

    def deadline(self) -> float | None:
        """When something happens by itself."""
        return self.lifecycle.deadline() if self._was_ready else None

    def snapshot(self) -> dict[str, Any]:
        """What lists cannot tell again."""
        return {
            "lifecycle": self.lifecycle.snapshot(),
            "sync": self.sync.snapshot(),
            "guests": self.guests.snapshot(),
            "migrations": self.migrations.snapshot(),
        }

    def restore(self, state: dict[str, Any], *, last: float) -> None:
        """Before any change; `last` is when the predecessor last observed, which matters while a session lasts."""
        self.lifecycle.restore(state["lifecycle"])
        self.sync.restore(state["sync"], last=last if self.active else None)
        self.guests.restore(state["guests"])
        self.migrations.restore(state["migrations"])
        self.resumed_from = last if self.active else None
        self.last = last


def _as(kind: type[_T], value: object) -> _T | None:
    return value if isinstance(value, kind) else None
